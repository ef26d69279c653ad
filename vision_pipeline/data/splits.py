"""Choose the images of train, val and test by content hash, stratified by class.

The choice depends on pixels and labels alone: every mirror and every order of rows gives the same splits.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from heapq import heapify, heappop, heappush
from typing import TypeVar

from vision_pipeline.core.errors import ConfigError, DataError
from vision_pipeline.data.format import Split
from vision_pipeline.data.ingest import ImageRecord

K = TypeVar("K", int, tuple[bool, int])
_SortKey = Callable[[ImageRecord], str]


def largest_remainder(sizes: Sequence[int], total: int, lower: Sequence[int], upper: Sequence[int]) -> list[int]:
    """Apportion `total` to groups in proportion to their `sizes` by the largest-remainder method, with bounds.

    Each group gets from `lower` to `upper`. The sum is `total`, or the nearest that these bounds allow. Where
    they do not bind, every share is within one of `total * size / sum(sizes)`. The first of equal claims wins.

    Source: M. L. Balinski and H. P. Young, Fair Representation (1982), on Hamilton's method.
    """
    shares = list(lower)
    total_size = sum(sizes)
    # a claim is the difference to a group's exact share, times `total_size` (whole numbers need no rounding), negated
    # because the heap returns the smallest
    claims = [(shares[group] * total_size - size * total, group) for group, size in enumerate(sizes)]
    claims = [claim for claim in claims if shares[claim[1]] < upper[claim[1]]]
    heapify(claims)
    for _ in range(total - sum(lower)):
        if not claims:
            break
        claim, group = heappop(claims)
        shares[group] += 1
        if shares[group] < upper[group]:
            heappush(claims, (claim + total_size, group))
    return shares


def subsample(rows: list[ImageRecord], limit: int) -> list[ImageRecord]:
    """Return at most `limit` of the rows (0: all): the first by content hash, in proportion to splits and classes.

    Raises:
        ConfigError: `limit` is too small for an image of every class in every split.
    """
    if limit == 0 or limit >= len(rows):
        return rows
    strata = _group_rows(rows, lambda row: (row.source_split == "test", row.label))
    has_test = any(is_test for is_test, _ in strata)
    # each class needs one image for each split that is made of this part of the source
    required = [1 if is_test else 2 if has_test else 3 for is_test, _ in strata]
    sizes = [len(stratum) for stratum in strata.values()]
    lower = [min(pair) for pair in zip(required, sizes, strict=True)]
    if sum(lower) > limit:
        raise ConfigError(
            f"params.yaml: data.limit is {limit}, too few for every class; allowed: 0, {sum(lower)} and up"
        )
    shares = largest_remainder(sizes, limit, lower, sizes)
    return [
        row
        for stratum, share in zip(strata.values(), shares, strict=True)
        for row in _take_first(stratum, share, _get_hash)
    ]


def stratified_split(rows: list[ImageRecord], validation: float, test: float) -> dict[Split, list[ImageRecord]]:
    """Return the rows of each split, in an order that mixes the classes.

    Args:
        rows: rows without duplicates in the source's train part, which has an image of every class.
        validation: share of the source's train part that is held out for validation.
        test: share of the train part that is held out for the test where the source has no test part.

    Raises:
        DataError: a split is empty.
    """
    train = [row for row in rows if row.source_split == "train"]
    test_rows = [row for row in rows if row.source_split == "test"]
    train_count = len(train)
    if not test_rows:
        train, test_rows = _hold_out(train, share_of(train_count, test), "test", min_remaining=2)
    train, val = _hold_out(train, share_of(train_count, validation), "validation", min_remaining=1)
    splits: dict[Split, list[ImageRecord]] = {"train": train, "val": val, "test": test_rows}
    for name, split_rows in splits.items():
        if not split_rows:
            raise DataError(f"the {name} split would be empty: there are too few images; add some")
    return {
        name: _take_first(split_rows, len(split_rows), _make_sort_key("order")) for name, split_rows in splits.items()
    }


def share_of(count: int, share: float) -> int:
    """Return `share` of `count`, rounded half up, without the error of binary fractions."""
    return int(count * Fraction(str(share)) + Fraction(1, 2))


def _hold_out(
    rows: list[ImageRecord], count: int, purpose: str, min_remaining: int
) -> tuple[list[ImageRecord], list[ImageRecord]]:
    """Return the remaining rows, and `count` rows held out: one of each class at least, if `min_remaining` remain."""
    classes = _group_rows(rows, lambda row: row.label)
    sizes = [len(members) for members in classes.values()]
    upper = [max(0, size - min_remaining) for size in sizes]
    shares = largest_remainder(sizes, count, [min(1, room) for room in upper], upper)
    remaining: list[ImageRecord] = []
    held_out: list[ImageRecord] = []
    for members, share in zip(classes.values(), shares, strict=True):
        ordered = _take_first(members, len(members), _make_sort_key(purpose))
        held_out.extend(ordered[:share])
        remaining.extend(ordered[share:])
    return remaining, held_out


def _group_rows(rows: Iterable[ImageRecord], key: Callable[[ImageRecord], K]) -> dict[K, list[ImageRecord]]:
    groups: dict[K, list[ImageRecord]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(sorted(groups.items()))


def _take_first(rows: list[ImageRecord], count: int, key: _SortKey) -> list[ImageRecord]:
    return sorted(rows, key=lambda row: (key(row), row.label, row.name, row.index))[:count]


def _get_hash(row: ImageRecord) -> str:
    return row.hash


def _make_sort_key(purpose: str) -> _SortKey:
    """Return a sort key that depends on content and `purpose` alone."""
    return lambda row: hashlib.sha256((purpose + row.hash).encode()).hexdigest()
