"""Turn Ctrl-C and SIGTERM into a flag, which is checked where stopping is safe.

Raising from a signal handler can leave MLflow's database locked in the middle of a write.
"""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from vision_pipeline.core.errors import UserError


class Interrupted(UserError):
    """A request to stop, by the user or the system."""


class ShutdownFlag:
    """The flag that the first signal sets; a second Ctrl-C acts as if there were no handler.

    A second SIGTERM does not: when DVC dies, the kernel sends one for each of its threads.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def check(self) -> None:
        """Raise `Interrupted` when a signal has come."""
        if self.signal is not None:
            raise Interrupted(f"stopped by {self.signal.name}")

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(signum)
        if signum == signal.SIGINT:
            signal.signal(signum, signal.SIG_DFL)


@contextmanager
def catch_signals() -> Iterator[ShutdownFlag]:
    """Turn SIGINT and SIGTERM into a flag inside the block."""
    flag = ShutdownFlag()
    previous_handlers = {signum: signal.signal(signum, flag._on_signal) for signum in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for signum, handler in previous_handlers.items():
            signal.signal(signum, handler)


def set_parent_death_signal() -> None:
    """Have SIGTERM sent to this process when its parent dies, so that no stage outlives the DVC that started it.

    Only Linux can do this (prctl(2), PR_SET_PDEATHSIG); elsewhere a lock keeps a second trainer waiting.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
