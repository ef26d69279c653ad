"""Locks between processes, in the repository's `.dvc/tmp`."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from stages.project.console import say
from stages.project.files import naming
from stages.project.paths import home

_SECONDS_BETWEEN_TRIES = 0.1
_own: set[str] = set()  # names of the exclusive locks that this process holds


@contextmanager
def exclusive(name: str, waiting_for: str = "", while_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock `name`; it vanishes with its holder, however that ends.

    Args:
        name: a file name.
        waiting_for: what another process does while it holds the lock; said when there is one to wait for.
        while_waiting: called ten times a second.
    """
    with (_folder() / name).open("a+") as file:
        if not _taken([file]):
            if waiting_for:
                file.seek(0)
                say(f"waiting for process {file.read().strip() or '?'}, which {waiting_for}")
            while not _taken([file]):
                while_waiting()
                time.sleep(_SECONDS_BETWEEN_TRIES)
        file.truncate(0)
        with naming(Path(file.name)):
            os.write(file.fileno(), str(os.getpid()).encode())  # at once: what a full disk refused would come again
        _own.add(name)
        try:
            yield
        finally:
            _own.discard(name)


def lock_file(name: str) -> Path:
    """Return the file of the lock `name`."""
    return _folder() / name


def is_own(name: str) -> bool:
    """Return whether this process holds the exclusive lock `name`."""
    return name in _own


def is_held(file: Path) -> bool:
    """Return whether a process holds a file's lock, be it in another container; tried for a moment, shared."""
    with file.open() as opened:
        try:
            fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def turn(places: int, while_waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold one of `places` places for heavy work on the processor, waiting until one is free.

    Convolutions' threads wait for one another by spinning. Two trainings on the same cores spin for a thread that
    the other one keeps from running: measured, each took three to seven times as long, not twice.

    Args:
        places: how many may work at once, at least 1; the same number in all processes.
        while_waiting: called ten times a second; what it raises ends the waiting.
    """
    files = [(_folder() / f"turn-{place}").open("a") for place in range(places)]
    try:
        told = False
        while not _taken(files):
            if not told:
                say("waiting for its turn: other stages use all cores")
                told = True
            while_waiting()
            time.sleep(_SECONDS_BETWEEN_TRIES)
        yield
    finally:
        for file in files:
            file.close()


_claimed: list[IO[str]] = []  # open, for a lock ends with its file


def claim(names: Sequence[str]) -> int | None:
    """Hold the first of the locks `names` that is free, until this process ends; its place, None where none is free."""
    for place, name in enumerate(names):
        file = (_folder() / name).open("a")
        if _taken([file]):
            _claimed.append(file)
            return place
        file.close()
    return None


def _taken(files: Sequence[IO[str]]) -> bool:
    """Take the first lock that is free; whether there was one."""
    for file in files:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            continue
    return False


def _folder() -> Path:
    folder = home() / ".dvc" / "tmp" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
