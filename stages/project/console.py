"""How a stage speaks to the person at the terminal: messages, refusals, progress bars."""

import sys
from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any, TypeVar

T = TypeVar("T")

# A bar that is redrawn in a log file becomes thousands of lines: there, one line in ten seconds.
_REDRAW_SECONDS, _DELAY_SECONDS = (0.1, 0.5) if sys.stderr.isatty() else (10.0, 10.0)


class Refusal(Exception):
    """What was asked cannot be done; the message names the file or the key, and the fix."""


def say(message: str) -> None:
    """Print one line of news."""
    print(message, flush=True)


def warn(message: str) -> None:
    """Print one line that must not be missed, to stderr."""
    print(f"WARNING: {message}", file=sys.stderr, flush=True)


def bar(total: int | None, what: str, unit: str = "image", scale: bool = False, hidden: bool = False) -> Any:
    """A progress bar (tqdm), for what takes longer than a moment; call its `update(n)`, use it as a context manager."""
    from tqdm import tqdm

    # its own is a semaphore of the system's, which a killed process leaves behind, with a warning
    tqdm.set_lock(RLock())
    return tqdm(
        total=total,
        desc=what,
        unit=unit,
        unit_scale=scale,
        mininterval=_REDRAW_SECONDS,
        delay=_DELAY_SECONDS,
        leave=False,
        dynamic_ncols=True,
        disable=hidden,
    )


def progress(items: Iterable[T], what: str, total: int | None = None, unit: str = "image") -> Iterator[T]:
    """Yield `items` while a bar shows how many are done."""
    with bar(total, what, unit) as shown:
        for item in items:
            yield item
            shown.update(1)
