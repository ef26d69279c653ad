"""Two models on the same test items: McNemar's test, and the difference in accuracy with its interval."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import bdtr

_NORMAL = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class Paired:
    """What two models got right.

    Attributes:
        both_right, only_one, only_other, both_wrong: counts of test items.
        difference: accuracy of the one less that of the other, -1 to 1.
        low, high: its 95 % interval.
        p: how likely a difference as large or larger is, if the two are equally good; 0 to 1.
    """

    both_right: int
    only_one: int
    only_other: int
    both_wrong: int
    difference: float
    low: float
    high: float
    p: float


def paired(one: np.ndarray, other: np.ndarray) -> Paired:
    """Compare two models by which test items each got right.

    Items on which both agree say nothing of which is better; of the others, each is as likely to be the one's as the
    other's if they are equally good: the exact two-sided test of McNemar, Note on the sampling error of the difference
    between correlated proportions, Psychometrika 12 (1947). The interval is that of Agresti and Min, Simple improved
    confidence intervals for comparing matched proportions, Statistics in Medicine 24 (2005): Wald's, with half an item
    added to each of the four counts.

    Args:
        one, other: bool (N,), in the same order of items.

    Raises:
        ValueError: there are no items, or not the same number.
    """
    if one.shape != other.shape or one.size == 0:
        raise ValueError(f"{one.shape} and {other.shape} are not the same test items")
    both_right, only_one, only_other = (int(np.sum(cell)) for cell in (one & other, one & ~other, ~one & other))
    apart = only_one + only_other
    low, high = _interval(only_one, only_other, one.size)
    p = min(1.0, 2 * float(bdtr(min(only_one, only_other), apart, 0.5)))  # at a half, both tails are alike
    both_wrong, difference = one.size - both_right - apart, (only_one - only_other) / one.size
    return Paired(both_right, only_one, only_other, both_wrong, difference, low, high, p)


def _interval(only_one: int, only_other: int, items: int) -> tuple[float, float]:
    """Agresti and Min's, cut off at -1 and 1."""
    adjusted = items + 2
    difference = (only_one - only_other) / adjusted
    variance = (only_one + only_other + 1 - adjusted * difference**2) / adjusted**2
    half = _NORMAL * variance**0.5
    return max(-1.0, difference - half), min(1.0, difference + half)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values of tests that are looked at together, each raised so that no more than 5 in 100 such looks err at 0.05.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.array([p_values[place] * (len(order) - rank) for rank, place in enumerate(order)])
    result = np.empty(len(order))
    result[order] = np.minimum(1.0, np.maximum.accumulate(raised)) if len(order) else raised
    return [float(value) for value in result]
