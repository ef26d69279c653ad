"""Every raw format gives the same items; what is damaged or hostile is refused by the file's name."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest
from raw_folders import (
    cifar_bytes,
    idx_bytes,
    random_images,
    write_cifar,
    write_idx,
)
from reading import CLASSES, LABELS, read_error, read_examples

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.readers import cifar, idx
from vision_pipeline.data.readers.dispatch import open_raw_dataset


def test_no_provenance(raw: Path) -> None:
    with pytest.raises(UserError, match=r"provenance\.json is missing"):
        open_raw_dataset(raw)


def test_unknown_format(raw: Path) -> None:
    assert "format 'pickle'; known: idx, cifar-binary, zip, parquet" in read_error(raw, "pickle")


# IDX


def test_idx(raw: Path) -> None:
    images, test = random_images(10, 6, 5), random_images(4, 6, 5, seed=1)
    write_idx(raw, "train", images, LABELS)
    write_idx(raw, "test", test, LABELS[:4])
    examples = read_examples(raw, "idx")
    assert [item.label for item in examples] == [*LABELS, *LABELS[:4]]
    assert [item.split for item in examples] == ["train"] * 10 + ["test"] * 4
    assert examples[3].name == "train-images-idx3-ubyte.gz:3"
    assert np.array_equal(examples[3].read(), images[3][..., np.newaxis])
    assert np.array_equal(examples[10].read(), test[0][..., np.newaxis])


def packed(content: bytes) -> bytes:
    """By gzip, without the time: tests are named by it, and each worker must find the same names."""
    return gzip.compress(content, mtime=0)


@pytest.fixture
def idx_folder(raw: Path) -> Path:
    write_idx(raw, "train", random_images(10, 6, 5), LABELS)
    write_idx(raw, "test", random_images(10, 6, 5, seed=1), LABELS)
    return raw


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (packed(idx_bytes(random_images(10, 6, 5)))[:-40], "end-of-stream"),
        (b"<html>not examples</html>", "Not a gzipped file"),
        (packed(idx_bytes(random_images(10, 6, 5))[:-1]), "holds fewer"),
        (packed(idx_bytes(random_images(10, 6, 5)) + b"x"), "holds more"),
        (packed(idx_bytes(LABELS.astype(np.uint8))), "not an IDX file of bytes with 3 dimensions"),
        (packed(b"\0\0\x08\x03"), "unpack requires"),
        (packed(b"\0\0\x08\x03" + b"\xff" * 12), "its header declares 79228162458924105385300197375 bytes"),
        (packed(idx_bytes(random_images(9, 6, 5))), "10 labels for 9 images"),
    ],
)
def test_damaged_idx(idx_folder: Path, content: bytes, why: str) -> None:
    (idx_folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    message = read_error(idx_folder, "idx")
    assert why in message
    assert "train-" in message


def test_idx_bomb_stops_at_its_declared_size(idx_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "_MAX_BYTES", 299)
    assert "its header declares 300 bytes" in read_error(idx_folder, "idx")


def test_missing_idx_file(idx_folder: Path) -> None:
    (idx_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "t10k-labels-idx1-ubyte.gz is damaged (it is missing)" in read_error(idx_folder, "idx")


def test_idx_label_without_class(idx_folder: Path) -> None:
    assert "row 0 has label 2, but there are 2 classes" in read_error(idx_folder, "idx", CLASSES[:2])


# CIFAR-10 binary


def test_cifar(raw: Path) -> None:
    images = random_images(10, 32, 32, 3)
    members = {
        "cifar-10-batches-bin/test_batch.bin": cifar_bytes(images[7:], LABELS[7:]),
        "cifar-10-batches-bin/data_batch_2.bin": cifar_bytes(images[4:7], LABELS[4:7]),
        "cifar-10-batches-bin/data_batch_1.bin": cifar_bytes(images[:4], LABELS[:4]),
        "cifar-10-batches-bin/readme.html": b"<html>",
    }
    write_cifar(raw, members)
    examples = read_examples(raw, "cifar-binary")
    assert [item.label for item in examples] == LABELS.tolist()
    assert [item.split for item in examples] == ["train"] * 7 + ["test"] * 3
    assert examples[5].name == "data_batch_2.bin:1"
    assert np.array_equal(np.stack([item.read() for item in examples]), images)


@pytest.mark.parametrize("name", ["../data_batch_1.bin", "/etc/data_batch_1.bin", "a/../../data_batch_1.bin"])
def test_cifar_member_that_leaves_its_folder(raw: Path, name: str) -> None:
    write_cifar(raw, {name: cifar_bytes(random_images(2, 32, 32, 3), LABELS[:2])})
    assert f"cifar-10-binary.tar.gz is damaged (the name {name!r} leaves its folder)" in read_error(raw, "cifar-binary")


def test_cifar_link(raw: Path) -> None:
    raw.mkdir(parents=True)
    with tarfile.open(raw / "cifar-10-binary.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("data_batch_1.bin")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    assert "'data_batch_1.bin' is neither a file nor a folder" in read_error(raw, "cifar-binary")


def test_cifar_cut_off(raw: Path) -> None:
    write_cifar(raw, {"data_batch_1.bin": cifar_bytes(random_images(2, 32, 32, 3), LABELS[:2])})
    path = raw / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    assert "cifar-10-binary.tar.gz is damaged" in read_error(raw, "cifar-binary")


def test_cifar_record_of_wrong_length(raw: Path) -> None:
    write_cifar(raw, {"data_batch_1.bin": b"\0" * 3072})
    assert "data_batch_1.bin has 3072 bytes, not a multiple of 3073" in read_error(raw, "cifar-binary")


def test_cifar_without_batches(raw: Path) -> None:
    write_cifar(raw, {"data_batch_1": b"\x80\x04pickle"})
    assert "no data_batch_N.bin or test_batch.bin inside" in read_error(raw, "cifar-binary")


@pytest.mark.parametrize("name", ["data_batch_1.bin", "padding"])
def test_cifar_bomb(raw: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "_MAX_BYTES", 1_000_000)
    write_cifar(raw, {name: b"\0" * 3073 * 1000})
    assert "it unpacks to more than 1,000,000 bytes" in read_error(raw, "cifar-binary")
