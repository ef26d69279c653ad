"""Which images train, validate and test: by content hash, stratified by class.

The choice depends on the pixels and labels alone: every mirror and every order of rows gives the same splits.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import TypeVar

from stages.datasets.apportion import apportion
from stages.datasets.format import Split
from stages.datasets.scan import Row
from stages.project.console import Refusal

K = TypeVar("K", int, tuple[bool, int])
_Key = Callable[[Row], str]


def limited(rows: list[Row], limit: int) -> list[Row]:
    """At most `limit` of the rows (0: all): the first by content hash, parts and classes in proportion.

    Raises:
        Refusal: too few for an image of every class in every split.
    """
    if limit == 0 or limit >= len(rows):
        return rows
    cells = _grouped(rows, lambda row: (row.part == "test", row.label))
    has_test = any(is_test for is_test, _ in cells)
    # of every class one image for each split that is made of this part
    needed = [1 if is_test else 2 if has_test else 3 for is_test, _ in cells]
    sizes = [len(cell) for cell in cells.values()]
    least = [min(pair) for pair in zip(needed, sizes, strict=True)]
    if sum(least) > limit:
        raise Refusal(f"params.yaml: data.limit is {limit}, too few for every class; allowed: 0, {sum(least)} and up")
    shares = apportion(sizes, limit, least, sizes)
    return [row for cell, share in zip(cells.values(), shares, strict=True) for row in _first(cell, share, _content)]


def split(rows: list[Row], validation: float, test: float) -> dict[Split, list[Row]]:
    """Rows of each split, in an order that mixes the classes.

    Args:
        rows: clean ones, whose pixels differ within the source's train part, which has an image of every class.
        validation: share of the source's train part held out.
        test: share of the same held out where the source has no test part.

    Raises:
        Refusal: a split is empty.
    """
    train = [row for row in rows if row.part == "train"]
    held_out = [row for row in rows if row.part == "test"]
    whole = len(train)
    if not held_out:
        train, held_out = _hold_out(train, part_of(whole, test), "test", leave=2)
    train, val = _hold_out(train, part_of(whole, validation), "validation", leave=1)
    splits: dict[Split, list[Row]] = {"train": train, "val": val, "test": held_out}
    for name, part in splits.items():
        if not part:
            raise Refusal(f"the {name} split would be empty: there are too few images; add some")
    return {name: _first(part, len(part), _keyed("order")) for name, part in splits.items()}


def part_of(count: int, share: float) -> int:
    """`share` of `count`, rounded half up, without the error of binary fractions."""
    return int(count * Fraction(str(share)) + Fraction(1, 2))


def _hold_out(rows: list[Row], count: int, purpose: str, leave: int) -> tuple[list[Row], list[Row]]:
    """What stays, and `count` rows held out: of every class at least one where `leave` others remain."""
    classes = _grouped(rows, lambda row: row.label)
    sizes = [len(members) for members in classes.values()]
    most = [max(0, size - leave) for size in sizes]
    shares = apportion(sizes, count, [min(1, room) for room in most], most)
    stays: list[Row] = []
    held: list[Row] = []
    for members, share in zip(classes.values(), shares, strict=True):
        ordered = _first(members, len(members), _keyed(purpose))
        held.extend(ordered[:share])
        stays.extend(ordered[share:])
    return stays, held


def _grouped(rows: Iterable[Row], key: Callable[[Row], K]) -> dict[K, list[Row]]:
    groups: dict[K, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return dict(sorted(groups.items()))


def _first(rows: list[Row], count: int, key: _Key) -> list[Row]:
    return sorted(rows, key=lambda row: (key(row), row.label, row.name, row.index))[:count]


def _content(row: Row) -> str:
    return row.hash


def _keyed(purpose: str) -> _Key:
    """An order that depends on content and `purpose` alone."""
    return lambda row: hashlib.sha256((purpose + row.hash).encode()).hexdigest()
