"""Zips of class folders give their photos; what is damaged or hostile is refused by the file's name."""

import zipfile
from pathlib import Path

import pytest
from raw_folders import (
    write_zip,
)
from reading import photo, read_error, read_examples

from vision_pipeline.core.limits import IMAGE_SUFFIXES
from vision_pipeline.data.decode import ImageDecodeError, decode
from vision_pipeline.data.readers import zip_reader


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
    examples = read_examples(raw, "zip", ["cat", "dog"])
    assert [(item.name, item.label, item.split) for item in examples] == [
        ("Dog/0.jpg", 1, "train"),
        ("Cat/12.jpg", 0, "train"),
    ]
    assert examples[1].read() == photo(1)


def test_zip_holds_every_kind_of_image_that_is_read(raw: Path) -> None:
    write_zip(raw, {f"Cat/1{suffix.upper()}": photo(0) for suffix in IMAGE_SUFFIXES} | {"Cat/notes.txt": b"x"})
    assert [item.name for item in read_examples(raw, "zip", ["cat"])] == [f"Cat/1{s.upper()}" for s in IMAGE_SUFFIXES]


@pytest.mark.parametrize("name", ["../Cat/1.jpg", "/Cat/1.jpg", "Cat/../../1.jpg", "..\\Cat\\1.jpg", "C:\\Cat\\1.jpg"])
def test_zip_member_that_leaves_its_folder(raw: Path, name: str) -> None:
    write_zip(raw, {"Cat/0.jpg": photo(0), name: photo(1)})
    assert f"images.zip is damaged (the name {name!r} leaves its folder)" in read_error(raw, "zip", ["Cat"])


def test_zip_bomb_is_read_no_further_than_an_image_may_be(raw: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_reader, "MAX_IMAGE_BYTES", 1000)
    monkeypatch.setattr("vision_pipeline.data.decode.MAX_IMAGE_BYTES", 1000)
    write_zip(raw, {"Cat/0.jpg": b"\0" * 5_000_000})
    (item,) = read_examples(raw, "zip", ["cat"])
    content = item.read()
    assert len(content) == 1001
    with pytest.raises(ImageDecodeError, match="too large: more than 1,000 bytes"):
        decode(bytes(content))


def test_zip_member_larger_than_declared(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": b"\0" * 5000})
    content = bytearray(path.read_bytes())
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = (10).to_bytes(4, "little")
    path.write_bytes(content)
    assert "'Cat/0.jpg': Bad CRC-32" in read_error(raw, "zip", ["cat"])


def test_encrypted_zip(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": photo(0)})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    assert "'Cat/0.jpg' is encrypted" in read_error(raw, "zip", ["cat"])


def test_zip_cut_off(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": photo(0)})
    path.write_bytes(path.read_bytes()[:-30])
    assert "images.zip is damaged (File is not a zip file)" in read_error(raw, "zip", ["cat"])


def test_zip_class_that_nobody_named(raw: Path) -> None:
    write_zip(raw, {"pets/Cow/0.jpg": photo(0)})
    assert "'pets/Cow/0.jpg' is in none of the class folders cat, dog" in read_error(raw, "zip", ["cat", "dog"])


def test_two_zips(raw: Path) -> None:
    path = write_zip(raw, {"Cat/0.jpg": photo(0)})
    with zipfile.ZipFile(path.with_name("b.zip"), "w"):
        pass
    assert "2 such files, not one" in read_error(raw, "zip", ["cat"])
