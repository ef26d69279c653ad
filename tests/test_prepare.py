"""Prepare from raw folder to arrays: what is left out, how it is split, that order and mirror do not matter."""

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from prepared_data import Prepare, arrays_of, counts_of, raw, rejects, rows_of
from raw_folders import (
    cifar_bytes,
    encoded,
    random_images,
    write_cifar,
    write_idx,
    write_parquet,
    write_provenance,
    write_zip,
)

from vision_pipeline.core.errors import UserError
from vision_pipeline.data import ingest, parallel
from vision_pipeline.data.format import SPLITS, open_dataset


def digits(train: int = 100, test: int = 20) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    labels = np.arange(train + test) % 10
    images = random_images(train + test, 28, 28)
    return images[:train], labels[:train], images[train:], labels[train:]


def write_digits(images: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> None:
    write_provenance(raw("mnist"), "idx", [str(digit) for digit in range(10)])
    write_idx(raw("mnist"), "train", images, labels)
    write_idx(raw("mnist"), "test", test, test_labels)


def test_what_is_written(prepare: Prepare) -> None:
    images, labels, test, test_labels = digits()
    write_digits(images, labels, test, test_labels)
    prepared = prepare("mnist")
    assert counts_of(prepared) == {"train": 90, "val": 10, "test": 20}
    assert prepared.info.shape == [28, 28, 1]
    assert prepared.info.class_names == [str(digit) for digit in range(10)]
    assert prepared.info.counts["val"] == {str(digit): 1 for digit in range(10)}
    expected = {
        key: json.loads((raw("mnist") / "provenance.json").read_text())[key] for key in prepared.info.provenance
    }
    assert prepared.info.provenance == expected
    assert list(expected) == ["name", "status", "source", "digest", "licence", "note"]
    train = prepared.inputs("train").astype(np.float64) / 255
    assert prepared.info.mean == pytest.approx([train.mean()], abs=1e-12)
    assert prepared.info.std == pytest.approx([train.std()], abs=1e-12)
    assert rejects("mnist") == []


def test_rows_name_their_pixels_and_origin(prepare: Prepare) -> None:
    images, labels, test, test_labels = digits()
    write_digits(images, labels, test, test_labels)
    prepared = prepare("mnist")
    for split, source, truth in (("train", images, labels), ("val", images, labels), ("test", test, test_labels)):
        rows = rows_of(prepared, split)
        for row, pixels, label in zip(rows, prepared.inputs(split), prepared.targets(split), strict=True):
            index = int(row["name"].split(":")[1])
            assert np.array_equal(pixels[..., 0], source[index])
            assert label == truth[index]
            assert row["hash"] == hashlib.sha256(b"28x28x1" + pixels.tobytes()).hexdigest()


def test_the_same_bits_from_idx_and_from_shuffled_parquet(prepare: Prepare) -> None:
    images, labels, test, test_labels = digits()
    images[7] = images[3]  # twice, labels 7 and 3: disagree
    images[13] = images[23]  # twice, same label
    write_digits(images, labels, test, test_labels)
    from_idx = arrays_of(prepare("mnist"))
    shutil.rmtree(raw("mnist"))
    write_provenance(raw("mnist"), "parquet", None)
    names = [str(digit) for digit in range(10)]
    for part, pixels, truth in (("train", images, labels), ("test", test, test_labels)):
        order = np.random.default_rng(5).permutation(len(pixels))
        content: list[bytes | None] = [encoded(pixels[row]) for row in order]
        write_parquet(raw("mnist"), part, content, truth[order].tolist(), names)
    assert arrays_of(prepare("mnist")) == from_idx


def test_a_second_run_writes_the_same_bytes(prepare: Prepare) -> None:
    write_digits(*digits())

    def everything() -> dict[str, bytes]:
        folder = prepare("mnist").folder
        return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}

    first = everything()
    assert len(first) == 11
    assert everything() == first


def test_number_of_cores_and_second_decoding_change_nothing(prepare: Prepare, monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_images(60, 40, 30, 3)
    write_provenance(raw("cats_dogs"), "zip", ["cat", "dog"])
    names = [f"PetImages/{('Cat', 'Dog')[index % 2]}/{index}.jpg" for index in range(60)]
    write_zip(raw("cats_dogs"), {name: encoded(pixels, "JPEG") for name, pixels in zip(names, images, strict=True)})
    first = arrays_of(prepare("cats_dogs", size=32))
    monkeypatch.setattr(parallel, "count_available_cpus", lambda: 5)
    assert arrays_of(prepare("cats_dogs", size=32)) == first
    monkeypatch.setattr(ingest, "_KEEP_BYTES", 0)
    assert arrays_of(prepare("cats_dogs", size=32)) == first


def test_planted_duplicates_leaks_and_disagreements(prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels, test, test_labels = digits(200, 40)
    images[10], labels[10] = images[20], labels[20]
    images[31] = test[5]
    images[42] = images[43]  # labels 2 and 3
    test[6], test_labels[6] = test[16], test_labels[16]
    write_digits(images, labels, test, test_labels)
    prepared = prepare("mnist")
    train, t10k = "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"
    assert rejects("mnist") == [
        (f"{train}:20", f"twice in train: {train}:10"),
        (f"{train}:31", f"also in test: {t10k}:5"),
        (f"{train}:42", f"labels disagree: {train}:43"),
        (f"{train}:43", f"labels disagree: {train}:42"),
    ]
    assert counts_of(prepared) == {"train": 176, "val": 20, "test": 40}
    assert "4 images left out: see data/prepared/mnist/rejects.csv" in capsys.readouterr().out
    hashes = {split: [row["hash"] for row in rows_of(prepared, split)] for split in SPLITS}
    assert not set(hashes["train"]) & set(hashes["val"])
    assert not (set(hashes["train"]) | set(hashes["val"])) & set(hashes["test"])


def test_what_download_left_out_is_listed_with_the_rejects(
    prepare: Prepare, capsys: pytest.CaptureFixture[str]
) -> None:
    write_digits(*digits())
    (raw("mnist") / "left_out.csv").write_text('file,reason\n"3/a, b.heic",the format is not read (HEIC)\n')
    prepare("mnist")
    assert rejects("mnist") == [("3/a, b.heic", "the format is not read (HEIC)")]
    assert "1 images left out: see data/prepared/mnist/rejects.csv" in capsys.readouterr().out


def test_cifar_binary_and_its_parquet_copy_give_the_same_bits(prepare: Prepare) -> None:
    images, labels = random_images(60, 32, 32, 3), np.arange(60) % 10
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    write_provenance(raw("cifar10"), "cifar-binary", names)
    members = {
        "data_batch_1.bin": cifar_bytes(images[:50], labels[:50]),
        "test_batch.bin": cifar_bytes(images[50:], labels[50:]),
    }
    write_cifar(raw("cifar10"), members)
    binary = prepare("cifar10")
    assert counts_of(binary) == {"train": 40, "val": 10, "test": 10}
    first = arrays_of(binary)
    shutil.rmtree(raw("cifar10"))
    write_provenance(raw("cifar10"), "parquet", names)
    content: list[bytes | None] = [encoded(pixels) for pixels in images]
    write_parquet(raw("cifar10"), "train", content[:50], labels[:50].tolist(), names, ("img", "label"))
    write_parquet(raw("cifar10"), "test", content[50:], labels[50:].tolist(), names, ("img", "label"))
    assert arrays_of(prepare("cifar10")) == first


@pytest.mark.parametrize(("size", "channels"), [(28, 1), (12, 3), (40, 1)])
def test_splits_do_not_depend_on_size_and_channels(prepare: Prepare, size: int, channels: int) -> None:
    images, labels = random_images(60, 32, 32, 3), np.arange(60) % 10
    write_provenance(raw("cifar10"), "cifar-binary", [str(label) for label in range(10)])
    write_cifar(raw("cifar10"), {"data_batch_1.bin": cifar_bytes(images, labels)})
    hashes = [row["hash"] for row in rows_of(prepare("cifar10"), "val")]
    prepared = prepare("cifar10", size=size, channels=channels)
    assert prepared.info.shape == [size, size, channels]
    assert len(prepared.info.mean) == len(prepared.info.std) == channels
    assert [row["hash"] for row in rows_of(prepared, "val")] == hashes


def test_balance_is_reported(prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    write_digits(*digits())
    prepare("mnist")
    assert "train: largest class 0 9, smallest 0 9, ratio 1.00" in capsys.readouterr().out
    images, _, test, test_labels = digits()
    write_digits(images, np.array([0] * 19 + list(range(1, 10)) * 9), test, test_labels)
    prepare("mnist")
    printed = capsys.readouterr()
    assert "WARNING: train: largest class 0 18, smallest 1 8, ratio 2.25" in printed.err
    assert "`models.*.train.class_weights: balanced`" in printed.err


def test_a_limit(prepare: Prepare) -> None:
    write_digits(*digits(300, 100))
    assert counts_of(prepare("mnist", limit=80)) == {"train": 50, "val": 10, "test": 20}
    with pytest.raises(UserError, match=r"data\.limit is 29, too few for every class; allowed: 0, 30 and up"):
        prepare("mnist", limit=29)


def test_a_refusal_leaves_what_was_prepared_before(prepare: Prepare) -> None:
    write_digits(*digits())
    before = arrays_of(prepare("mnist"))
    path = raw("mnist") / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"train-images-idx3-ubyte\.gz is damaged .*fetch it again"):
        prepare("mnist")
    assert arrays_of(open_dataset(Path("data/prepared/mnist"))) == before
    assert [path.name for path in Path("data/prepared").iterdir()] == ["mnist"]


def test_neither_torch_nor_mlflow_is_imported(repository: Path) -> None:
    code = "import sys, stages.prepare; sys.exit(bool({'torch', 'mlflow'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=repository).returncode == 0
