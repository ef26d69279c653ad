"""What training must not see: images of the test set, images twice, images with two labels."""

from collections import defaultdict
from collections.abc import Iterable

from stages.datasets.scan import Reject, Row


def clean(rows: list[Row]) -> tuple[list[Row], list[Reject]]:
    """Drop rows from the train part; the official test part stays whole, so that figures compare.

    Which pixels and labels stay depends on them alone, not on the order or the names of the rows.
    """
    test = [row for row in rows if row.part == "test"]
    test_names = _first_names(test)
    kept: list[Row] = []
    rejects: list[Reject] = []
    for twins in _by_hash(row for row in rows if row.part == "train"):
        stays, dropped = _judge(twins, test_names.get(twins[0].hash))
        kept.extend(stays)
        rejects.extend(dropped)
    return kept + test, rejects


def _judge(twins: list[Row], test_name: str | None) -> tuple[list[Row], list[Reject]]:
    """Rows of the same pixels, sorted by name: which stay, which go and why."""
    if test_name is not None:
        return [], [_reject(row, f"also in test: {test_name}") for row in twins]
    if len({row.label for row in twins}) > 1:
        return [], [_reject(row, f"labels disagree: {_others(row, twins)}") for row in twins]
    return twins[:1], [_reject(row, f"twice in train: {twins[0].name}") for row in twins[1:]]


def _reject(row: Row, reason: str) -> Reject:
    return Reject(row.name, reason, row.part, row.label)


def _others(row: Row, twins: list[Row]) -> str:
    return ", ".join(other.name for other in twins if other.label != row.label)


def _by_hash(rows: Iterable[Row]) -> list[list[Row]]:
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row.hash].append(row)
    return [sorted(twins, key=lambda row: (row.name, row.index)) for twins in groups.values()]


def _first_names(rows: Iterable[Row]) -> dict[str, str]:
    return {twins[0].hash: twins[0].name for twins in _by_hash(rows)}
