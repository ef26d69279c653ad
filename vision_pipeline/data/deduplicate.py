"""Drop images that must not be trained on: those of the test set, duplicates, and images with two labels."""

from collections import defaultdict
from collections.abc import Iterable

from vision_pipeline.data.ingest import ImageRecord, RejectedImage


def drop_duplicates_and_leaks(rows: list[ImageRecord]) -> tuple[list[ImageRecord], list[RejectedImage]]:
    """Drop rows from the train part; the official test part stays whole, so that results are comparable.

    The choice depends on pixels and labels alone, not on the order or the names of the rows.

    Returns:
        the rows that are kept, and the rejects with their reasons.
    """
    test = [row for row in rows if row.source_split == "test"]
    test_names = _map_hash_to_name(test)
    kept: list[ImageRecord] = []
    rejects: list[RejectedImage] = []
    for duplicates in _group_by_hash(row for row in rows if row.source_split == "train"):
        retained, dropped = _resolve(duplicates, test_names.get(duplicates[0].hash))
        kept.extend(retained)
        rejects.extend(dropped)
    return kept + test, rejects


def _resolve(duplicates: list[ImageRecord], test_name: str | None) -> tuple[list[ImageRecord], list[RejectedImage]]:
    """Return which rows of the same pixels, sorted by name, are kept, and the rejects with their reasons."""
    if test_name is not None:
        return [], [_make_reject(row, f"also in test: {test_name}") for row in duplicates]
    if len({row.label for row in duplicates}) > 1:
        return [], [
            _make_reject(row, f"labels disagree: {_list_conflicting_names(row, duplicates)}") for row in duplicates
        ]
    return duplicates[:1], [_make_reject(row, f"twice in train: {duplicates[0].name}") for row in duplicates[1:]]


def _make_reject(row: ImageRecord, reason: str) -> RejectedImage:
    return RejectedImage(row.name, reason, row.source_split, row.label)


def _list_conflicting_names(row: ImageRecord, duplicates: list[ImageRecord]) -> str:
    return ", ".join(other.name for other in duplicates if other.label != row.label)


def _group_by_hash(rows: Iterable[ImageRecord]) -> list[list[ImageRecord]]:
    groups: dict[str, list[ImageRecord]] = defaultdict(list)
    for row in rows:
        groups[row.hash].append(row)
    return [sorted(duplicates, key=lambda row: (row.name, row.index)) for duplicates in groups.values()]


def _map_hash_to_name(rows: Iterable[ImageRecord]) -> dict[str, str]:
    return {duplicates[0].hash: duplicates[0].name for duplicates in _group_by_hash(rows)}
