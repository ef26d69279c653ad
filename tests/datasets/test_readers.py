"""Every raw format gives the same items; what is damaged or hostile is refused by the file's name."""

import gzip
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from raw_folders import (
    cifar_bytes,
    encoded,
    idx_bytes,
    random_images,
    write_cifar,
    write_idx,
    write_parquet,
    write_provenance,
    write_zip,
)

from stages.datasets import archive, cifar, idx
from stages.datasets.decode import Unreadable, decode
from stages.datasets.raw import Item
from stages.datasets.readers import read_raw
from stages.project.console import Refusal

LABELS = np.array([2, 0, 1, 2, 0, 1, 0, 2, 1, 1])
CLASSES = ["ant", "bee", "cow"]


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    return tmp_path / "data" / "raw" / "toy"


def items_of(folder: Path, kind: str, class_names: list[str] | None = CLASSES) -> list[Item]:
    write_provenance(folder, kind, class_names)
    opened = read_raw(folder)
    found = list(opened.items())
    assert opened.count == len(found)
    assert [item.name for item in opened.items()] == [item.name for item in found]
    return found


def refusal(folder: Path, kind: str, class_names: list[str] | None = CLASSES) -> str:
    write_provenance(folder, kind, class_names)
    with pytest.raises(Refusal) as caught:
        for item in read_raw(folder).items():
            item.read()
    assert "fetch it again: dvc repro -f -s download@toy" in str(caught.value)
    return str(caught.value)


def test_no_provenance(raw: Path) -> None:
    with pytest.raises(Refusal, match=r"provenance\.json is missing"):
        read_raw(raw)


def test_unknown_format(raw: Path) -> None:
    assert "format 'pickle'; known: idx, cifar-binary, zip, parquet" in refusal(raw, "pickle")


# IDX


def test_idx(raw: Path) -> None:
    images, test = random_images(10, 6, 5), random_images(4, 6, 5, seed=1)
    write_idx(raw, "train", images, LABELS)
    write_idx(raw, "test", test, LABELS[:4])
    found = items_of(raw, "idx")
    assert [item.label for item in found] == [*LABELS, *LABELS[:4]]
    assert [item.part for item in found] == ["train"] * 10 + ["test"] * 4
    assert found[3].name == "train-images-idx3-ubyte.gz:3"
    assert np.array_equal(found[3].read(), images[3][..., np.newaxis])
    assert np.array_equal(found[10].read(), test[0][..., np.newaxis])


@pytest.fixture
def idx_folder(raw: Path) -> Path:
    write_idx(raw, "train", random_images(10, 6, 5), LABELS)
    write_idx(raw, "test", random_images(10, 6, 5, seed=1), LABELS)
    return raw


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (gzip.compress(idx_bytes(random_images(10, 6, 5)))[:-40], "end-of-stream"),
        (b"<html>not found</html>", "Not a gzipped file"),
        (gzip.compress(idx_bytes(random_images(10, 6, 5))[:-1]), "holds fewer"),
        (gzip.compress(idx_bytes(random_images(10, 6, 5)) + b"x"), "holds more"),
        (gzip.compress(idx_bytes(LABELS.astype(np.uint8))), "not an IDX file of bytes with 3 dimensions"),
        (gzip.compress(b"\0\0\x08\x03"), "unpack requires"),
        (gzip.compress(b"\0\0\x08\x03" + b"\xff" * 12), "its header declares 79228162458924105385300197375 bytes"),
        (gzip.compress(idx_bytes(random_images(9, 6, 5))), "10 labels for 9 images"),
    ],
)
def test_damaged_idx(idx_folder: Path, content: bytes, why: str) -> None:
    (idx_folder / "train-images-idx3-ubyte.gz").write_bytes(content)
    message = refusal(idx_folder, "idx")
    assert why in message
    assert "train-" in message


def test_idx_bomb_stops_at_its_declared_size(idx_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idx, "_MAX_BYTES", 299)
    assert "its header declares 300 bytes" in refusal(idx_folder, "idx")


def test_missing_idx_file(idx_folder: Path) -> None:
    (idx_folder / "t10k-labels-idx1-ubyte.gz").unlink()
    assert "t10k-labels-idx1-ubyte.gz is damaged (it is missing)" in refusal(idx_folder, "idx")


def test_idx_label_without_class(idx_folder: Path) -> None:
    assert "row 0 has label 2, but there are 2 classes" in refusal(idx_folder, "idx", CLASSES[:2])


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
    found = items_of(raw, "cifar-binary")
    assert [item.label for item in found] == LABELS.tolist()
    assert [item.part for item in found] == ["train"] * 7 + ["test"] * 3
    assert found[5].name == "data_batch_2.bin:1"
    assert np.array_equal(np.stack([item.read() for item in found]), images)


@pytest.mark.parametrize("name", ["../data_batch_1.bin", "/etc/data_batch_1.bin", "a/../../data_batch_1.bin"])
def test_cifar_member_that_leaves_its_folder(raw: Path, name: str) -> None:
    write_cifar(raw, {name: cifar_bytes(random_images(2, 32, 32, 3), LABELS[:2])})
    assert f"cifar-10-binary.tar.gz is damaged (the name {name!r} leaves its folder)" in refusal(raw, "cifar-binary")


def test_cifar_link(raw: Path) -> None:
    raw.mkdir(parents=True)
    with tarfile.open(raw / "cifar-10-binary.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("data_batch_1.bin")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    assert "'data_batch_1.bin' is neither a file nor a folder" in refusal(raw, "cifar-binary")


def test_cifar_cut_off(raw: Path) -> None:
    write_cifar(raw, {"data_batch_1.bin": cifar_bytes(random_images(2, 32, 32, 3), LABELS[:2])})
    path = raw / "cifar-10-binary.tar.gz"
    path.write_bytes(path.read_bytes()[:-3000])
    assert "cifar-10-binary.tar.gz is damaged" in refusal(raw, "cifar-binary")


def test_cifar_record_of_wrong_length(raw: Path) -> None:
    write_cifar(raw, {"data_batch_1.bin": b"\0" * 3072})
    assert "data_batch_1.bin has 3072 bytes, not a multiple of 3073" in refusal(raw, "cifar-binary")


def test_cifar_without_batches(raw: Path) -> None:
    write_cifar(raw, {"data_batch_1": b"\x80\x04pickle"})
    assert "no data_batch_N.bin or test_batch.bin inside" in refusal(raw, "cifar-binary")


@pytest.mark.parametrize("name", ["data_batch_1.bin", "padding"])
def test_cifar_bomb(raw: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cifar, "_MAX_BYTES", 1_000_000)
    write_cifar(raw, {name: b"\0" * 3073 * 1000})
    assert "it unpacks to more than 1,000,000 bytes" in refusal(raw, "cifar-binary")


# zip


def photo(seed: int) -> bytes:
    return encoded(random_images(1, 8, 8, 3, seed=seed)[0])


def test_zip_of_class_folders(raw: Path) -> None:
    members = {
        "PetImages/Dog/0.jpg": photo(0),
        "PetImages/Cat/12.jpg": photo(1),
        "PetImages/Cat/Thumbs.db": b"x",
        "PetImages/Dog/": b"",
        "readme[1].txt": b"x",
        "loose.jpg": b"x",
    }
    write_zip(raw, members)
    found = items_of(raw, "zip", ["cat", "dog"])
    assert [(item.name, item.label, item.part) for item in found] == [
        ("Dog/0.jpg", 1, "train"),
        ("Cat/12.jpg", 0, "train"),
    ]
    assert found[1].read() == photo(1)


@pytest.mark.parametrize("name", ["../Cat/1.jpg", "/Cat/1.jpg", "Cat/../../1.jpg", "..\\Cat\\1.jpg", "C:\\Cat\\1.jpg"])
def test_zip_member_that_leaves_its_folder(raw: Path, name: str) -> None:
    write_zip(raw, {"Cat/0.jpg": photo(0), name: photo(1)})
    assert f"images.zip is damaged (the name {name!r} leaves its folder)" in refusal(raw, "zip", ["Cat"])


def test_zip_bomb_is_read_no_further_than_an_image_may_be(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 1000)
    monkeypatch.setattr("stages.datasets.decode.MAX_BYTES", 1000)
    write_zip(raw, {"Cat/0.jpg": b"\0" * 5_000_000})
    (item,) = items_of(raw, "zip", ["cat"])
    content = item.read()
    assert len(content) == 1001
    with pytest.raises(Unreadable, match="too large: more than 1,000 bytes"):
        decode(bytes(content))


def test_zip_member_larger_than_declared(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": b"\0" * 5000})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert "'Cat/0.jpg': Bad CRC-32" in refusal(raw, "zip", ["cat"])


def test_encrypted_zip(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": photo(0)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "'Cat/0.jpg' is encrypted" in refusal(raw, "zip", ["cat"])


def test_zip_cut_off(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": photo(0)})
    path.write_bytes(path.read_bytes()[:-30])
    assert "images.zip is damaged (File is not a zip file)" in refusal(raw, "zip", ["cat"])


def test_zip_class_that_nobody_named(raw: Path) -> None:
    write_zip(raw, {"pets/Cow/0.jpg": photo(0)})
    assert "'pets/Cow/0.jpg' is in none of the class folders cat, dog" in refusal(raw, "zip", ["cat", "dog"])


def test_two_zips(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": photo(0)})
    with zipfile.ZipFile(path.with_name("b.zip"), "w"):
        pass
    assert "2 such files, not one" in refusal(raw, "zip", ["cat"])


# Parquet


@pytest.mark.parametrize("columns", [("image", "label"), ("img", "label"), ("image", "labels")])
def test_parquet(raw: Path, columns: tuple[str, str]) -> None:
    content: list[bytes | None] = [photo(seed) for seed in range(10)]
    write_parquet(raw, "train", content, LABELS.tolist(), CLASSES, columns)
    write_parquet(raw, "test", content[:2], [0, 1], CLASSES, columns, paths=["x/cat.7.jpg", None])
    found = items_of(raw, "parquet", None)
    assert read_raw(raw).class_names == CLASSES
    assert [item.label for item in found] == [*LABELS, 0, 1]
    assert [item.part for item in found] == ["train"] * 10 + ["test"] * 2
    assert found[8].name == "train-00000-of-00001.parquet:8"
    assert [item.name for item in found[10:]] == ["x/cat.7.jpg", "test-00000-of-00001.parquet:1"]
    assert [item.read() for item in found] == [*content, *content[:2]]


def test_parquet_class_names_of_the_catalogue_win_but_must_agree(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0)], [0], ["Ant", "Bee", "Cow"])
    items_of(raw, "parquet")
    assert read_raw(raw).class_names == CLASSES
    assert "its classes are Ant, Bee, Cow; expected: bee, ant, cow" in refusal(raw, "parquet", ["bee", "ant", "cow"])


def test_parquet_without_bytes_is_an_empty_file(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0), None], [0, 1], CLASSES)
    assert items_of(raw, "parquet")[1].read() == b""


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
    assert why in refusal(raw, "parquet")


def test_parquet_cut_off(raw: Path) -> None:
    path = write_parquet(raw, "train", [photo(0)], [0], CLASSES)
    path.write_bytes(path.read_bytes()[:-10])
    assert "train-00000-of-00001.parquet is damaged" in refusal(raw, "parquet")


def test_parquet_damaged_in_the_middle(raw: Path) -> None:
    path = write_parquet(raw, "train", [photo(seed) for seed in range(20)], [0] * 20, CLASSES)
    content = bytearray(path.read_bytes())
    content[4:200] = b"\xff" * 196
    path.write_bytes(content)
    assert "train-00000-of-00001.parquet is damaged" in refusal(raw, "parquet")


def test_parquet_without_the_columns(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0)], [0], CLASSES, ("picture", "label"))
    assert "its columns are picture, label; needed: image or img, and label or labels" in refusal(raw, "parquet")


def test_parquet_without_class_names(raw: Path) -> None:
    write_parquet(raw, "train", [photo(0)], [0])
    assert "no class names" in refusal(raw, "parquet", None)


def test_no_parquet(raw: Path) -> None:
    assert "there is no such file" in refusal(raw, "parquet")
