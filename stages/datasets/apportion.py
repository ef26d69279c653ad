"""Sharing out a whole number of seats in proportion: the largest-remainder method, with bounds.

Source: M. L. Balinski and H. P. Young, Fair Representation (1982), on Hamilton's method.
"""

from collections.abc import Sequence
from heapq import heapify, heappop, heappush


def apportion(sizes: Sequence[int], total: int, least: Sequence[int], most: Sequence[int]) -> list[int]:
    """Share `total` between groups in proportion to their `sizes`.

    Each group gets from `least` to `most`. The sum is `total`, or the nearest that these bounds allow. Where
    they do not bind, every share is within one of `total * size / sum(sizes)`. Of equal claims the first wins.
    """
    shares = list(least)
    whole = sum(sizes)
    # a claim is what a group lacks to its exact share, times `whole` (whole numbers need no rounding), negated
    # since the heap gives the smallest
    claims = [(shares[group] * whole - size * total, group) for group, size in enumerate(sizes)]
    claims = [claim for claim in claims if shares[claim[1]] < most[claim[1]]]
    heapify(claims)
    for _ in range(total - sum(least)):
        if not claims:
            break
        claim, group = heappop(claims)
        shares[group] += 1
        if shares[group] < most[group]:
            heappush(claims, (claim + whole, group))
    return shares
