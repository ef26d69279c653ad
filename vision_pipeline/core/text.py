"""Short texts for messages: lists that are cut, values."""

from collections.abc import Sequence
from typing import Any


def join_limited(items: Sequence[object], limit: int, separator: str = ", ") -> str:
    """Return the first `limit` items joined by `separator`, then how many more there are.

    >>> join_limited(["a", "b", "c"], 2)
    'a, b and 1 more'
    """
    more = len(items) - limit
    return separator.join(map(str, items[:limit])) + (f" and {more:,} more" if more > 0 else "")


def format_value(value: Any) -> str:
    """Return a value of settings for people: a float with four significant digits, others as Python prints them."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
