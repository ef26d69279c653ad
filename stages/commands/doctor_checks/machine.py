"""The machine: device, cores and memory."""

import os
from collections.abc import Iterator
from pathlib import Path

from stages.commands.doctor_checks.finding import Finding, note, ok, problem
from stages.commands.pipeline.jobs import gpus, stages_at_once
from stages.params import load
from stages.project.cores import usable_cores

_GB = 10**9
_STAGE = _GB  # memory; a training of photos takes half of it (benchmarks/results.md)
_MEMORY, _QUOTA = Path("/proc/meminfo"), Path("/sys/fs/cgroup/cpu.max")


def device() -> Iterator[Finding]:
    """What `device`, `precision` and `threads` come to here, and whether torch sees the GPU that has a driver."""
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library of CUDA's is damaged
        yield problem(f"torch cannot be imported: {error}", "pip install --force-reinstall -r requirements.lock")
        return
    from stages.compute.device import set_up

    if (count := gpus()) and not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        yield problem(
            f"{count} GPU with a driver, but torch {torch.__version__} ({built}) sees none",
            "pip install -r requirements.lock, which has CUDA; then a driver that is new enough for it",
        )
    asked, precision, threads = load("device", "precision", "threads")
    machine = set_up(asked, precision, threads, convolutions=True)
    yield ok(
        f"`device: {asked}` is {machine.device.type} ({machine.name}), `precision: {precision}` of networks with "
        f"convolutions {machine.precision} ({machine.why}), `threads: {threads}` is {machine.threads}"
    )


def cores() -> Iterator[Finding]:
    """How many may be used, and whether `threads` asks for more."""
    may = usable_cores()
    (threads,) = load("threads")
    share = _share(may)
    if threads > may:
        yield note(f"`threads: {threads}` on {may} cores wait for one another", "threads: 0 in params.yaml")
    elif share < (threads or may):
        yield note(
            f"{threads or may} threads share the time of {share:.1f} cores, which the container is limited to",
            f"threads: {max(1, int(share))} in params.yaml",
        )
    else:
        yield ok(f"{may} of {os.cpu_count()}, {stages_at_once()} stages at once by `vision repro`")


def _share(cores: int) -> float:
    """The cores whose time a container's limit leaves; all without one."""
    if not _QUOTA.exists():
        return cores
    quota, period = _QUOTA.read_text().split()
    return cores if quota == "max" else int(quota) / int(period)


def memory() -> Iterator[Finding]:
    """Whether it is enough for as many stages as run at once."""
    if not _MEMORY.exists():
        yield ok("not known on this system")
        return
    fields = dict(line.split(":", 1) for line in _MEMORY.read_text().splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    jobs, about = stages_at_once(), f"{free / _GB:.1f} GB free"
    if free < _STAGE:
        yield problem(f"{about}; a stage takes up to {_STAGE / _GB:.0f} GB", "close other programs")
    elif free < jobs * _STAGE:
        yield note(f"{about}; {jobs} stages at once may take more", f"vision repro --jobs {free // _STAGE}")
    else:
        yield ok(about)
