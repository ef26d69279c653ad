"""Ctrl-C and SIGTERM as a flag, looked at where stopping is safe.

Raising from a signal handler can leave MLflow's database locked in the middle of a write.
"""

import ctypes
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from stages.project.console import Refusal


class Stopped(Refusal):
    """The person or the system asked the stage to stop."""


class StopFlag:
    """Set by the first signal; a second Ctrl-C acts as if there were no handler.

    A second SIGTERM does not: when DVC dies, the kernel sends one for each of its threads.
    """

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None

    def check(self) -> None:
        """Raise `Stopped` when a signal has come."""
        if self.signal is not None:
            raise Stopped(f"stopped by {self.signal.name}")

    def _set(self, number: int, frame: FrameType | None) -> None:
        self.signal = signal.Signals(number)
        if number == signal.SIGINT:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def stop_flag() -> Iterator[StopFlag]:
    """Turn SIGINT and SIGTERM into a flag inside the block."""
    flag = StopFlag()
    before = {number: signal.signal(number, flag._set) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield flag
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def die_with_parent() -> None:
    """Have SIGTERM sent to this process when its parent dies, so that nothing goes on without the DVC that began it.

    Only Linux can do this (prctl(2), PR_SET_PDEATHSIG); elsewhere a lock keeps a second trainer waiting.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
