"""One byte changed anywhere in a file from outside: it is read, or refused by the file's name; nothing else happens."""

import gzip
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from raw_folders import cifar_bytes, encoded, random_images, write_cifar, write_idx, write_parquet, write_provenance
from reading import CLASSES, LABELS

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import read_array, write_array
from vision_pipeline.data.readers.dispatch import open_raw_dataset

_CHANGES = 1500


def idx(folder: Path) -> Path:
    write_idx(folder, "train", random_images(10, 4, 4), LABELS)
    write_idx(folder, "test", random_images(3, 4, 4), LABELS[:3])
    return folder / "train-images-idx3-ubyte.gz"


def cifar(folder: Path) -> Path:
    images = np.zeros((10, 32, 32, 3), np.uint8)  # packs to few bytes, most of them of structure
    write_cifar(folder, {"a/data_batch_1.bin": cifar_bytes(images, LABELS), "a/test_batch.bin": bytes(3073)})
    return folder / "cifar-10-binary.tar.gz"


def archive(folder: Path) -> Path:
    folder.mkdir(parents=True)
    methods = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
    with zipfile.ZipFile(folder / "images.zip", "w") as zip_file:
        for label, method in zip([*CLASSES, "ant"], methods, strict=True):
            zip_file.writestr(zipfile.ZipInfo(f"pets/{label}/é{method}.jpg"), bytes(40), method)
    return folder / "images.zip"


def parquet(folder: Path) -> Path:
    photos: list[bytes | None] = [encoded(image) for image in random_images(10, 2, 2, 3)]
    return write_parquet(folder, "train", photos, LABELS.tolist(), CLASSES, paths=[f"é{row}.png" for row in range(10)])


def iter_changed(content: bytes) -> Iterator[bytes]:
    """`content` with one byte changed, at `_CHANGES` places."""
    draw = random.Random(0)
    for _ in range(_CHANGES):
        place = draw.randrange(len(content))
        value = draw.choice([0, content[place] ^ 1, content[place] ^ 0x80, draw.randrange(256)])
        yield content[:place] + bytes([value]) + content[place + 1 :]


def count_refused(file: Path, contents: Iterator[bytes]) -> int:
    """Return the number of refused contents; each error names a file of the folder."""
    refused = 0
    for content in contents:
        file.write_bytes(content)
        try:
            for item in open_raw_dataset(file.parent).iter_examples():
                item.read()
        except UserError as error:
            assert str(file.parent) in str(error)
            refused += 1
    return refused


@pytest.mark.parametrize(
    ("kind", "make"), [("idx", idx), ("cifar-binary", cifar), ("zip", archive), ("parquet", parquet)]
)
def test_raw_file(kind: str, make, raw: Path) -> None:
    file = make(raw)
    write_provenance(raw, kind, CLASSES)
    assert 0 < count_refused(file, iter_changed(file.read_bytes())) < _CHANGES


@pytest.mark.parametrize(("kind", "make"), [("idx", idx), ("cifar-binary", cifar)])
def test_what_gzip_packs(kind: str, make, raw: Path) -> None:
    file = make(raw)
    write_provenance(raw, kind, CLASSES)
    inner = gzip.decompress(file.read_bytes())
    assert 0 < count_refused(file, (gzip.compress(content, 1) for content in iter_changed(inner))) < _CHANGES


@pytest.mark.parametrize("make", [idx, cifar])
def test_gzips_own_checksum_is_looked_at(make, raw: Path) -> None:
    file = make(raw)
    write_provenance(raw, {idx: "idx", cifar: "cifar-binary"}[make], CLASSES)
    content = bytearray(file.read_bytes())
    content[-8] ^= 1
    assert count_refused(file, iter([bytes(content)])) == 1


def test_array(tmp_path: Path) -> None:
    file, refused = tmp_path / "inputs.npy", 0
    write_array(file, np.arange(6).reshape(2, 3))
    for content in iter_changed(file.read_bytes()):
        file.unlink()  # the array before it is a view of the file
        file.write_bytes(content)
        try:
            read_array(file).sum()
        except UserError as error:
            assert str(file) in str(error)
            refused += 1
    assert 0 < refused < _CHANGES
