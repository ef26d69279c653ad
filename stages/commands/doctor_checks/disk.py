"""The disk: its space, whether it may be written, and what its file system can."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.commands.doctor_checks.finding import Finding, note, ok, problem

_GB = 10**9
_DATA = 2.3 * _GB  # what `make` on real images leaves (README, "Time, disk, cleaning up")
_ARRAYS_TWICE = 2 * _DATA  # with a copy in DVC's cache
_WRITTEN = (".", ".git", ".dvc", "data", "models", "exports", "reports")


def disk() -> Iterator[Finding]:
    """Whether the pipeline's data still fit."""
    free = shutil.disk_usage(".").free
    about = f"{free / _GB:.1f} GB free"
    if free < _DATA:
        needed = f"{about}; the pipeline on real images needs {_DATA / _GB:.1f} GB"
        yield problem(
            needed, "`dvc gc --workspace` empties DVC's cache of what is not in use, `data.limit` asks for less"
        )
    elif free < _ARRAYS_TWICE:
        yield note(f"{about}; a plain `dvc repro` keeps arrays twice", "make, or `dvc checkout --relink` after it")
    else:
        yield ok(about)


def folder() -> Iterator[Finding]:
    """Whether what the stages write into may be written."""
    closed = [name for name in _WRITTEN if Path(name).exists() and not os.access(name, os.W_OK | os.X_OK)]
    if closed:
        yield problem(f"not to be written by this user: {', '.join(closed)}", f"sudo chown -R $USER {' '.join(closed)}")
    else:
        yield ok(f"{Path.cwd()} may be written")


def links() -> Iterator[Finding]:
    """Whether DVC can link a file to its cache here, which it does else by a copy; tried in a temporary folder."""
    from dvc_objects.fs import system

    ways: dict[str, Callable[[str, str], None]] = {"reflink": system.reflink, "hardlink": system.hardlink}
    try:
        with TemporaryDirectory(dir=".dvc" if Path(".dvc").exists() else ".") as place:
            file = Path(place) / "file"
            file.write_bytes(b"1")
            able = [name for name, link in ways.items() if _works(link, file)]
    except OSError as error:
        yield problem(f"no file can be made here: {error.strerror}", "free some space, or take another folder")
        return
    if able:
        yield ok(f"DVC's cache is linked by {able[0]}")
    else:
        yield note("this file system has no links, so files lie here and in DVC's cache", "take another file system")


def _works(link: Callable[[str, str], None], file: Path) -> bool:
    try:
        link(str(file), f"{file}.{link.__name__}")
    except OSError:
        return False
    return True
