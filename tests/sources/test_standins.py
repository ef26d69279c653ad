"""The stand-ins: the same pixels on every run, on any machine, in the hub's layout."""

import hashlib
import io
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from vision_pipeline.sources.standins import datasets
from vision_pipeline.sources.standins.datasets import make_stand_in


def digest(rows: list[tuple[np.ndarray, int]]) -> str:
    """SHA-256 over pixels and labels."""
    sha256 = hashlib.sha256()
    for image, label in rows:
        sha256.update(image.tobytes() + bytes([label]))
    return sha256.hexdigest()


def test_digits() -> None:
    rows = list(datasets.iter_digits())
    assert len(rows) == 1797
    assert all(image.shape == (28, 28) and image.dtype == np.uint8 for image, _ in rows)
    assert not any(image[:4].any() or image[-4:].any() for image, _ in rows)
    assert [label for _, label in rows[:10]] == list(range(10))
    assert digest(rows) == "b24bc7f71a87f04db3ec371a2cd6671f07fe8a1274f4f848a01da2a24ab43622"


def test_objects() -> None:
    rows = list(datasets.iter_objects())
    assert Counter(label for _, label in rows) == dict.fromkeys(range(10), 180)
    assert all(image.shape == (32, 32, 3) and image.dtype == np.uint8 for image, _ in rows)
    assert len({image.tobytes() for image, _ in rows}) == 1800
    assert digest(rows) == "6a8584d997f46307fab37f4e14980949e6176209ef048e51f4d8933d094a76fa"


def test_pets() -> None:
    rows = list(datasets.iter_pets())
    assert Counter(label for _, label in rows) == {0: 200, 1: 200}
    assert all(image.shape == (224, 224, 3) and image.dtype == np.uint8 for image, _ in rows)
    assert digest(rows) == "bab78a38ffac797e179541b359b8d9f8e21323f2afb923290924320548a6ed11"


def test_every_class_stands_evenly_in_train_and_test(tmp_path: Path) -> None:
    names = [f"class {number}" for number in range(10)]
    assert make_stand_in("cifar10", names, tmp_path).has_test
    for split, count in (("train", 150), ("test", 30)):
        labels = pq.read_table(tmp_path / f"{split}-00000-of-00001.parquet")["label"].to_pylist()
        assert Counter(labels) == dict.fromkeys(range(10), count)


def test_the_layout_is_the_hub_s(tmp_path: Path) -> None:
    names = [str(number) for number in range(10)]
    make_stand_in("mnist", names, tmp_path)
    table = pq.read_table(tmp_path / "test-00000-of-00001.parquet")
    assert table.schema.names == ["image", "label"]
    assert str(table.schema.field("image").type) == "struct<bytes: binary, path: string>"
    assert str(table.schema.field("label").type) == "int64"
    features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
    assert features == {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
    first = table["image"][0].as_py()
    assert first["path"] == "test-00000.png"
    image, label = next(row for index, row in enumerate(datasets.iter_digits()) if index == 5)
    assert (np.asarray(Image.open(io.BytesIO(first["bytes"]))) == image).all()
    assert table["label"][0].as_py() == label


def test_two_runs_write_the_same_bytes(tmp_path: Path) -> None:
    for run in ("one", "two"):
        (tmp_path / run).mkdir()
        make_stand_in("mnist", list("0123456789"), tmp_path / run)
    for file in ("train-00000-of-00001.parquet", "test-00000-of-00001.parquet"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("name", datasets.STAND_INS)
def test_the_note_counts_rightly(name: str) -> None:
    stand_in = datasets.STAND_INS[name]
    assert f"{stand_in.num_images:,} " in stand_in.note
