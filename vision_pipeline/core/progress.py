"""Progress bars of work that takes seconds."""

import sys
from collections.abc import Iterable, Iterator
from threading import RLock
from typing import Any, TypeVar

ItemT = TypeVar("ItemT")

# In a log file each redraw of a bar is a line of its own, so there it is redrawn every ten seconds.
_REDRAW_SECONDS, _DELAY_SECONDS = (0.1, 0.5) if sys.stderr.isatty() else (10.0, 10.0)


def progress_bar(
    total: int | None, description: str, unit: str = "image", *, unit_scale: bool = False, disable: bool = False
) -> Any:
    """Return a progress bar (tqdm): a context manager whose method `update(n)` advances it.

    Args:
        total: number of units; None where it is not known beforehand.
        description: printed before the bar.
        unit: one unit's name.
        unit_scale: whether numbers are shortened, as in 1.2M.
        disable: whether nothing is printed.
    """
    from tqdm import tqdm

    # tqdm's default lock is a semaphore of the system, which a killed process leaves behind with a warning
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
