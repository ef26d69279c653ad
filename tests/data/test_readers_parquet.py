"""Parquet as on the hub gives the same items; what is damaged is refused by the file's name."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_folders import (
    write_parquet,
)
from reading import CLASSES, LABELS, photo, read_error, read_examples

from vision_pipeline.data.readers.dispatch import open_raw_dataset


@pytest.mark.parametrize("columns", [("image", "label"), ("img", "label"), ("image", "labels")])
def test_parquet(raw: Path, columns: tuple[str, str]) -> None:
    content: list[bytes | None] = [photo(seed) for seed in range(10)]
    write_parquet(raw, "train", content, LABELS.tolist(), CLASSES, columns)
    write_parquet(raw, "test", content[:2], [0, 1], CLASSES, columns, paths=["x/cat.7.jpg", None])
    examples = read_examples(raw, "parquet", None)
    assert open_raw_dataset(raw).class_names == CLASSES
    assert [item.label for item in examples] == [*LABELS, 0, 1]
    assert [item.split for item in examples] == ["train"] * 10 + ["test"] * 2
    assert examples[8].name == "train-00000-of-00001.parquet:8"
    assert [item.name for item in examples[10:]] == ["x/cat.7.jpg", "test-00000-of-00001.parquet:1"]
    assert [item.read() for item in examples] == [*content, *content[:2]]


def test_parquet_class_names_of_the_catalogue_win_but_must_agree(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0)], [0], ["Ant", "Bee", "Cow"])
    read_examples(raw, "parquet")
    assert open_raw_dataset(raw).class_names == CLASSES
    assert "its classes are Ant, Bee, Cow; expected: bee, ant, cow" in read_error(raw, "parquet", ["bee", "ant", "cow"])


def test_parquet_without_bytes_is_an_empty_file(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0), None], [0, 1], CLASSES)
    assert read_examples(raw, "parquet")[1].read() == b""


@pytest.mark.parametrize(
    ("labels", "why"),
    [
        ([0, 3], "row 1 has label 3, but there are 3 classes"),
        ([-1, 0], "row 0 has label -1"),
        ([0, None], "its column label has empty rows"),
    ],
)
def test_parquet_bad_labels(raw: Path, labels: list[int | None], why: str) -> None:
    write_parquet(raw, "train", [photo(0), photo(1)], labels, CLASSES)
    assert why in read_error(raw, "parquet")


def test_parquet_cut_off(raw: Path) -> None:
    path = write_parquet(raw, "train", [photo(0)], [0], CLASSES)
    path.write_bytes(path.read_bytes()[:-10])
    assert "train-00000-of-00001.parquet is damaged" in read_error(raw, "parquet")


@pytest.mark.real
def test_cifar10_has_ten_classes_of_5000_and_1000(raw: Path, real_data: Path) -> None:
    raw.mkdir(parents=True)
    for path in (real_data / "cifar10" / "plain_text").glob("*.parquet"):
        (raw / path.name).symlink_to(path)
    counts = Counter((item.split, item.label) for item in read_examples(raw, "parquet", None))
    assert counts == {(part, label): count for part, count in (("train", 5000), ("test", 1000)) for label in range(10)}


def test_parquet_damaged_in_the_middle(raw: Path) -> None:
    path = write_parquet(raw, "train", [photo(seed) for seed in range(20)], [0] * 20, CLASSES)
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    assert "train-00000-of-00001.parquet is damaged" in read_error(raw, "parquet")


def test_parquet_without_the_columns(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0)], [0], CLASSES, ("picture", "label"))
    assert "its columns are picture, label; needed: image or img, and label or labels" in read_error(raw, "parquet")


@pytest.mark.parametrize(("bytes_", "path"), [(pa.string(), pa.string()), (pa.binary(), pa.int64())])
def test_parquet_with_columns_of_another_kind(bytes_: pa.DataType, path: pa.DataType, raw: Path) -> None:
    file = write_parquet(raw, "train", [photo(0)], [0], CLASSES)
    kind = pa.struct([("bytes", bytes_), ("path", path)])
    pq.write_table(pa.table({"image": pa.array([None], kind), "label": [0]}), file)
    assert f"its column image is {kind}, not struct<bytes, path>" in read_error(raw, "parquet")


def test_parquet_without_class_names(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0)], [0])
    assert "no class names" in read_error(raw, "parquet", None)


def test_no_parquet(raw: Path) -> None:
    assert "there is no such file" in read_error(raw, "parquet")
