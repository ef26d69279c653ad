"""Locks between processes, in the repository's `.dvc/tmp`."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from stages.project.console import say
from stages.project.paths import home


@contextmanager
def exclusive(name: str, waiting_for: str = "") -> Iterator[None]:
    """Hold the lock `name`; it vanishes with its holder, however that ends.

    Args:
        name: a file name.
        waiting_for: what another process does while it holds the lock; said when there is one to wait for.
    """
    folder = home() / ".dvc" / "tmp" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / name).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting_for:
                file.seek(0)
                say(f"waiting for process {file.read().strip() or '?'}, which {waiting_for}")
            fcntl.flock(file, fcntl.LOCK_EX)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield
