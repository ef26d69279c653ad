"""Splits by content: whole, stratified, the same for every order of rows."""

import hashlib
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.ingest import ImageRecord
from vision_pipeline.data.readers.raw import SourceSplit
from vision_pipeline.data.splits import stratified_split, subsample


def rows_of(train: list[int], test: list[int] = ()) -> list[ImageRecord]:  # type: ignore[assignment]
    """Rows with as many images of each class as given."""
    parts: list[tuple[SourceSplit, list[int]]] = [("train", train), ("test", list(test))]
    specs = [
        (part, label, place) for part, counts in parts for label, count in enumerate(counts) for place in range(count)
    ]
    return [
        ImageRecord(index, part, label, f"{index}.png", hashlib.sha256(f"{part}{label}{place}".encode()).hexdigest())
        for index, (part, label, place) in enumerate(specs)
    ]


def counts(rows: list[ImageRecord]) -> list[int]:
    by_label = Counter(row.label for row in rows)
    return [by_label[label] for label in range(3)]


def test_an_official_test_part_stays_whole() -> None:
    rows = rows_of([100, 200, 50], [10, 20, 30])
    splits = stratified_split(rows, 0.1, 0.3)
    assert {name: counts(part) for name, part in splits.items()} == {
        "train": [90, 180, 45],
        "val": [10, 20, 5],
        "test": [10, 20, 30],
    }
    assert all(row.source_split == "test" for row in splits["test"])


def test_without_a_test_part_shares_are_of_the_whole() -> None:
    splits = stratified_split(rows_of([5000, 5000]), 0.1, 0.1)
    assert {name: len(part) for name, part in splits.items()} == {"train": 8000, "val": 1000, "test": 1000}
    assert counts(splits["val"]) == counts(splits["test"]) == [500, 500, 0]


@settings(deadline=None)
@given(st.lists(st.integers(3, 60), min_size=3, max_size=3), st.booleans(), st.randoms())
def test_every_row_stands_in_one_split_whatever_the_order(sizes: list[int], official: bool, random: object) -> None:
    rows = rows_of(sizes, [4, 5, 6] if official else [])
    splits = stratified_split(rows, 0.1, 0.2)
    assert sorted(row.index for part in splits.values() for row in part) == [row.index for row in rows]
    for part in splits.values():
        assert min(counts(part)) >= 1
    for size, held in zip(sizes, counts(splits["val"]), strict=True):
        assert abs(held - 0.1 * size) < 2
    shuffled = list(rows)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert stratified_split(shuffled, 0.1, 0.2) == splits


def test_names_and_places_do_not_matter() -> None:
    rows = rows_of([30, 40, 50])
    renamed = [
        ImageRecord(1000 - row.index, row.source_split, row.label, f"other-{row.index}", row.hash)
        for row in reversed(rows)
    ]
    first, second = stratified_split(rows, 0.1, 0.1), stratified_split(renamed, 0.1, 0.1)
    for name in first:
        assert [row.hash for row in first[name]] == [row.hash for row in second[name]]


def test_a_split_is_kept_when_images_of_another_class_come_in() -> None:
    before = {row.hash for row in stratified_split(rows_of([100, 100]), 0.1, 0.1)["val"]}
    after = {row.hash for row in stratified_split(rows_of([100, 100, 100]), 0.1, 0.1)["val"]}
    assert before < after


def test_rows_are_mixed() -> None:
    labels = [row.label for row in stratified_split(rows_of([500, 500, 500]), 0.1, 0.1)["train"]]
    changes = sum(first != second for first, second in pairwise(labels))
    assert 700 < changes < 900  # two in three of 1,199 neighbours differ in a fair order


def test_a_class_of_one_trains() -> None:
    splits = stratified_split(rows_of([1, 2, 20]), 0.1, 0.1)
    assert counts(splits["train"])[:2] == [1, 1]
    assert counts(splits["val"])[:2] == [0, 1]
    assert counts(splits["test"])[:2] == [0, 0]


def test_refusals() -> None:
    with pytest.raises(UserError, match="the val split would be empty"):
        stratified_split(rows_of([1, 1, 1], [1, 1, 1]), 0.1, 0.1)


def test_no_limit() -> None:
    rows = rows_of([10, 10, 10])
    assert subsample(rows, 0) == rows
    assert subsample(rows, 30) == rows


def test_a_limit_keeps_the_proportions_and_the_first_by_content() -> None:
    rows = rows_of([600, 300, 300], [100, 50, 50])
    kept = subsample(rows, 140)
    assert counts([row for row in kept if row.source_split == "train"]) == [60, 30, 30]
    assert counts([row for row in kept if row.source_split == "test"]) == [10, 5, 5]
    ants = sorted(row.hash for row in rows if row.source_split == "train" and row.label == 0)
    assert sorted(row.hash for row in kept if row.source_split == "train" and row.label == 0) == ants[:60]


@settings(deadline=None)
@given(st.integers(9, 200), st.randoms())
def test_a_limit_is_met_exactly_and_fills_every_split(limit: int, random: object) -> None:
    rows = rows_of([100, 40, 9], [30, 20, 4])
    kept = subsample(rows, limit)
    assert len(kept) == min(limit, len(rows))
    assert all(min(counts(part)) >= 1 for part in stratified_split(kept, 0.1, 0.1).values())
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert subsample(rows, limit) == kept or limit >= len(rows)


def test_a_limit_too_small() -> None:
    with pytest.raises(UserError, match=r"data\.limit is 8, too few for every class; allowed: 0, 9 and up"):
        subsample(rows_of([100, 40, 9], [30, 20, 4]), 8)
    with pytest.raises(UserError, match="allowed: 0, 9 and up"):
        subsample(rows_of([100, 40, 9]), 8)
