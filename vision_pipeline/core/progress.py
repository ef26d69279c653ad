"""Progress bars for what takes longer than a moment."""

import sys
from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any, TypeVar

ItemT = TypeVar("ItemT")

# A bar that is redrawn in a log file becomes thousands of lines: there, one line in ten seconds.
_REDRAW_SECONDS, _DELAY_SECONDS = (0.1, 0.5) if sys.stderr.isatty() else (10.0, 10.0)


def progress_bar(
    total: int | None, description: str, unit: str = "image", unit_scale: bool = False, disable: bool = False
) -> Any:
    """Return a progress bar (tqdm), for work that takes seconds; a context manager whose `update(n)` is called."""
    from tqdm import tqdm

    # its own is a semaphore of the system's, which a killed process leaves behind, with a warning
    tqdm.set_lock(RLock())
    return tqdm(
        total=total,
        desc=description,
        unit=unit,
        unit_scale=unit_scale,
        mininterval=_REDRAW_SECONDS,
        delay=_DELAY_SECONDS,
        leave=False,
        dynamic_ncols=True,
        disable=disable,
    )


def track(items: Iterable[ItemT], description: str, total: int | None = None, unit: str = "image") -> Iterator[ItemT]:
    """Yield `items` while a bar shows how many are done."""
    with progress_bar(total, description, unit) as pbar:
        for item in items:
            yield item
            pbar.update(1)
