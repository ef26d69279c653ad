"""Duplicates, leaks and disagreeing labels leave train, and are listed."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vision_pipeline.data.deduplicate import drop_duplicates_and_leaks
from vision_pipeline.data.ingest import ImageRecord, RejectedImage
from vision_pipeline.data.readers.raw import SourceSplit


def row(index: int, part: SourceSplit, label: int, digest: str) -> ImageRecord:
    return ImageRecord(index, part, label, f"{part}-{index}", digest)


def test_each_reason() -> None:
    rows = [
        row(0, "train", 0, "alone"),
        row(1, "train", 0, "twice"),
        row(2, "train", 0, "twice"),
        row(3, "train", 0, "leak"),
        row(4, "train", 0, "disputed"),
        row(5, "train", 1, "disputed"),
        row(6, "train", 1, "disputed"),
        row(7, "test", 0, "leak"),
        row(8, "test", 0, "test twice"),
        row(9, "test", 1, "test twice"),
    ]
    kept, rejects = drop_duplicates_and_leaks(rows)
    assert [entry.index for entry in kept] == [0, 1, 7, 8, 9]
    assert rejects == [
        RejectedImage("train-2", "twice in train: train-1", "train", 0),
        RejectedImage("train-3", "also in test: test-7", "train", 0),
        RejectedImage("train-4", "labels disagree: train-5, train-6", "train", 0),
        RejectedImage("train-5", "labels disagree: train-4", "train", 1),
        RejectedImage("train-6", "labels disagree: train-4", "train", 1),
    ]


rows_of_any_kind = st.lists(
    st.tuples(st.sampled_from(["train", "test"]), st.integers(0, 2), st.sampled_from("abcdefgh")), max_size=30
)


@settings(deadline=None)
@given(rows_of_any_kind, st.randoms())
def test_what_stays_does_not_depend_on_order_or_names(
    specs: list[tuple[SourceSplit, int, str]], random: object
) -> None:
    shuffled = list(specs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    def kept(order: list[tuple[SourceSplit, int, str]]) -> list[tuple[str, str, int]]:
        rows, rejects = drop_duplicates_and_leaks([row(index, *spec) for index, spec in enumerate(order)])
        assert len(rows) + len(rejects) == len(order)
        return sorted((entry.source_split, entry.hash, entry.label) for entry in rows)

    assert kept(specs) == kept(shuffled)


@settings(deadline=None)
@given(rows_of_any_kind)
def test_train_is_free_of_twins_and_leaks_and_test_is_whole(specs: list[tuple[SourceSplit, int, str]]) -> None:
    rows = [row(index, *spec) for index, spec in enumerate(specs)]
    kept, _ = drop_duplicates_and_leaks(rows)
    train = [entry.hash for entry in kept if entry.source_split == "train"]
    assert len(train) == len(set(train))
    assert not set(train) & {entry.hash for entry in kept if entry.source_split == "test"}
    assert [entry for entry in kept if entry.source_split == "test"] == [
        entry for entry in rows if entry.source_split == "test"
    ]
