"""Locks between processes, in the repository's `.dvc/tmp`."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from vision_pipeline.core.files import annotate_os_error
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root

_SECONDS_BETWEEN_TRIES = 0.1
_held_names: set[str] = set()  # of the exclusive locks that this process holds
_claimed_files: list[IO[str]] = []  # kept open, because a lock ends with its file


@contextmanager
def file_lock(name: str, waiting_for: str = "", on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock `name`; the system releases it when its holder ends, even when that is killed.

    Args:
        name: a file name.
        waiting_for: the end of the message to a user who waits: what another process does with the lock.
        on_wait: called ten times a second; an exception that it raises ends the wait.
    """
    with (_locks_dir() / name).open("a+") as file:
        if not _try_lock([file]):
            file.seek(0)
            holder = file.read().strip() or "?"
            message = f"waiting for process {holder}, which {waiting_for}" if waiting_for else ""
            wait_until(lambda: _try_lock([file]), message, on_wait)
        file.truncate(0)
        with annotate_os_error(Path(file.name)):
            os.write(
                file.fileno(), str(os.getpid()).encode()
            )  # unbuffered: closing a file whose buffer the disk refused fails again
        _held_names.add(name)
        try:
            yield
        finally:
            _held_names.discard(name)


def wait_until(
    is_ready: Callable[[], bool],
    message: str,
    on_wait: Callable[[], None] = lambda: None,
    seconds: float = _SECONDS_BETWEEN_TRIES,
) -> None:
    """Wait until `is_ready`, which is asked every few `seconds`; `message` is logged once, if there is a wait.

    Args:
        is_ready: returns whether the wait is over; may take the thing that is waited for.
        message: one line; "" for none.
        on_wait: called at each try; an exception that it raises ends the wait.
        seconds: between two tries.
    """
    if is_ready():
        return
    if message:
        logger.info(message)
    while not is_ready():
        on_wait()
        time.sleep(seconds)


def lock_path(name: str) -> Path:
    """Return the file of the lock `name`."""
    return _locks_dir() / name


def holds_lock(name: str) -> bool:
    """Return whether this process holds the exclusive lock `name`."""
    return name in _held_names


def is_locked(file: Path) -> bool:
    """Return whether a process holds a file's lock, also in another container, by a try of a shared lock."""
    with file.open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


@contextmanager
def cpu_slot(slots: int, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold one of `slots` places for heavy work on the processor; wait until one is free.

    The threads of a convolution wait for one another by spinning. Two trainings on the same cores spin for threads that
    the other training keeps from running: measured, each took three to seven times as long, not twice.

    Args:
        slots: number of processes that may work at once, at least 1; the same in all processes.
        on_wait: called ten times a second; an exception that it raises ends the wait.
    """
    files = [(_locks_dir() / f"turn-{slot}").open("a") for slot in range(slots)]
    try:
        wait_until(lambda: _try_lock(files), "waiting for its turn: other stages use all cores", on_wait)
        yield
    finally:
        for file in files:
            file.close()


def lock_first_free(names: Sequence[str]) -> int | None:
    """Hold the first free lock of `names` until this process ends; return its index, None where none is free."""
    for index, name in enumerate(names):
        file = (_locks_dir() / name).open("a")
        if _try_lock([file]):
            _claimed_files.append(file)
            return index
        file.close()
    return None


def _try_lock(files: Sequence[IO[str]]) -> bool:
    """Take the first lock that is free; return whether there was one."""
    for file in files:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            continue
    return False


def _locks_dir() -> Path:
    folder = repo_root() / ".dvc" / "tmp" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
