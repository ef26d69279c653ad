"""Whether a model takes over from another, by the same test items."""

from collections.abc import Mapping, Sequence
from typing import Any


def challenge(
    rows: Sequence[Mapping[str, Any]], challenger: str, champion: str, told_apart: bool
) -> tuple[bool, str] | None:
    """Whether the challenger takes over, and the figures that say so; None where the two saw other test items.

    Args:
        rows: of `comparisons.pairs`, each pair of models once, in either order.
        challenger, champion: names in them.
        told_apart: a higher accuracy is not enough, the two must be told apart.
    """
    found = [row for row in rows if {row["model"], row["other"]} == {challenger, champion}]
    if not found:
        return None
    (row,) = found
    sign = 1 if row["model"] == challenger else -1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    difference = sign * row["difference"]
    better = difference > 0 and (row["told_apart"] or not told_apart)
    points = f"{100 * difference:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})"
    apart = "told apart" if row["told_apart"] else "not told apart"
    return better, f"{points} on the same {row['items']:,} test items, p = {row['p_holm']:.2g}, {apart}"
