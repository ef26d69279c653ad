"""Checks of the hardware: device, cores, memory and disk."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from vision_pipeline.cli.doctor.finding import Finding, note, ok, problem
from vision_pipeline.cli.pipeline.schedule import count_visible_gpus, default_jobs
from vision_pipeline.config.load import load_params
from vision_pipeline.core.system import count_available_cpus

_GB = 10**9  # bytes
_DATA = 2.3 * _GB  # `make` on real images leaves so much (README, "Time, disk, cleaning up")
_ARRAYS_TWICE = 2 * _DATA  # with a copy in DVC's cache
_WRITTEN_DIRS = (".", ".git", ".dvc", "data", "models", "exports", "reports")
_STAGE_MEMORY = _GB  # bytes; a training of photos takes half of it (benchmarks/results.md)
_MEMINFO, _CPU_QUOTA = Path("/proc/meminfo"), Path("/sys/fs/cgroup/cpu.max")


def check_device() -> Iterator[Finding]:
    """Report the device, precision and threads in use, and check that torch sees a GPU that has a driver."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of CUDA is damaged
        yield problem(f"torch cannot be imported: {error}", "pip install --force-reinstall -r requirements.lock")
        return
    from vision_pipeline.runtime.device import setup_runtime

    if (count := count_visible_gpus()) and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        yield problem(
            f"{count} GPU with a driver, but torch {torch.__version__} ({built}) sees none",
            "pip install -r requirements.lock, which has CUDA; then a driver that is new enough for it",
        )
    requested, precision, threads = load_params("device", "precision", "threads")
    runtime = setup_runtime(requested, precision, threads, has_convolutions=True)
    yield ok(
        f"`device: {requested}` is {runtime.device.type} ({runtime.device_name}), `precision: {precision}` of networks "
        f"with convolutions {runtime.precision} ({runtime.precision_reason}), `threads: {threads}` is {runtime.threads}"
    )


def check_cores() -> Iterator[Finding]:
    """Check that `threads` fits the cores that may be used."""
    available = count_available_cpus()
    (threads,) = load_params("threads")
    cpu_share = _read_cpu_share(available)
    if threads > available:
        yield note(f"`threads: {threads}` on {available} cores wait for one another", "threads: 0 in params.yaml")
    elif cpu_share < (threads or available):
        yield note(
            f"{threads or available} threads share the time of {cpu_share:.1f} cores, "
            "which the container is limited to",
            f"threads: {max(1, int(cpu_share))} in params.yaml",
        )
    else:
        yield ok(f"{available} of {os.cpu_count()}, {default_jobs()} stages at once by `vision repro`")


def _read_cpu_share(cores: int) -> float:
    """Return the number of cores whose time a container's limit leaves; all without a limit."""
    if not _CPU_QUOTA.exists():
        return cores
    quota, period = _CPU_QUOTA.read_text().split()
    return cores if quota == "max" else int(quota) / int(period)


def check_memory() -> Iterator[Finding]:
    """Check that memory is enough for the stages that run at once."""
    if not _MEMINFO.exists():
        yield ok("not known on this system")
        return
    fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    jobs, free_text = default_jobs(), f"{free / _GB:.1f} GB free"
    if free < _STAGE_MEMORY:
        yield problem(f"{free_text}; a stage takes up to {_STAGE_MEMORY / _GB:.0f} GB", "close other programs")
    elif free < jobs * _STAGE_MEMORY:
        yield note(f"{free_text}; {jobs} stages at once may take more", f"vision repro --jobs {free // _STAGE_MEMORY}")
    else:
        yield ok(free_text)


def check_disk_space() -> Iterator[Finding]:
    """Check that the pipeline's data still fit on the disk."""
    free = shutil.disk_usage(".").free
    free_text = f"{free / _GB:.1f} GB free"
    if free < _DATA:
        message = f"{free_text}; the pipeline on real images needs {_DATA / _GB:.1f} GB"
        yield problem(
            message, "`dvc gc --workspace` empties DVC's cache of what is not in use, `data.limit` asks for less"
        )
    elif free < _ARRAYS_TWICE:
        yield note(f"{free_text}; a plain `dvc repro` keeps arrays twice", "make, or `dvc checkout --relink` after it")
    else:
        yield ok(free_text)


def check_writable() -> Iterator[Finding]:
    """Check that this user may write into the folders of the stages."""
    unwritable = [name for name in _WRITTEN_DIRS if Path(name).exists() and not os.access(name, os.W_OK | os.X_OK)]
    if unwritable:
        yield problem(
            f"not to be written by this user: {', '.join(unwritable)}", f"sudo chown -R $USER {' '.join(unwritable)}"
        )
    else:
        yield ok(f"{Path.cwd()} may be written")


def check_links() -> Iterator[Finding]:
    """Check that DVC can link a file to its cache here, instead of a copy; tried in a temporary folder."""
    from dvc_objects.fs import system

    link_functions: dict[str, Callable[[str, str], None]] = {"reflink": system.reflink, "hardlink": system.hardlink}
    try:
        with TemporaryDirectory(dir=".dvc" if Path(".dvc").exists() else ".") as folder:
            file = Path(folder) / "file"
            file.write_bytes(b"1")
            supported = [name for name, link in link_functions.items() if _can_link(link, file)]
    except OSError as error:
        yield problem(f"no file can be made here: {error.strerror}", "free some space, or take another folder")
        return
    if supported:
        yield ok(f"DVC's cache is linked by {supported[0]}")
    else:
        yield note("this file system has no links, so files lie here and in DVC's cache", "take another file system")


def _can_link(link: Callable[[str, str], None], file: Path) -> bool:
    try:
        link(str(file), f"{file}.{link.__name__}")
    except OSError:
        return False
    return True
