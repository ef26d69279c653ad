"""A zip of class folders, such as Microsoft's `PetImages/{Cat,Dog}/N.jpg`, read in place."""

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from stages.datasets.decode import MAX_BYTES
from stages.datasets.raw import Item, RawSet, damaged

# CLASS/FILE.jpg, one folder down or not; Thumbs.db and read-me files do not match
_IMAGE = re.compile(r"(?:[^/]+/)?(?P<name>(?P<folder>[^/]+)/[^/]+\.jpe?g)", re.IGNORECASE)
_ENCRYPTED = 0x1
# of a name that is no UTF-8, zipfile says ValueError; of a compression or version that it does not know, RuntimeError
_UNREADABLE = (OSError, zipfile.BadZipFile, ValueError, RuntimeError)


def read_zip(folder: Path, class_names: list[str]) -> RawSet:
    """The one zip of `folder`; its class folders are `class_names`, but for case.

    Raises:
        Refusal: the zip is missing, damaged or encrypted, a member's name leaves its folder, or an image
            lies in another folder.
    """
    path = _archive(folder)
    archive = _opened(path)
    members = [(info, match) for info in archive.infolist() if (match := _image(path, info))]
    labels = {name.casefold(): label for label, name in enumerate(class_names)}
    for info, match in members:
        if match["folder"].casefold() not in labels:
            raise damaged(path, f"{info.filename!r} is in none of the class folders {', '.join(class_names)}")

    def items() -> Iterator[Item]:
        for info, match in members:
            yield Item(labels[match["folder"].casefold()], match["name"], "train", partial(_read, path, archive, info))

    return RawSet(class_names, len(members), items)


def _archive(folder: Path) -> Path:
    found = sorted(folder.glob("*.zip"))
    if len(found) != 1:
        raise damaged(folder / "*.zip", f"{len(found)} such files, not one")
    return found[0]


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _UNREADABLE as error:
        raise damaged(path, error) from error


def _image(path: Path, info: zipfile.ZipInfo) -> re.Match[str] | None:
    """The parts of an image's name; None for what is no image in a class folder."""
    name = PurePosixPath(info.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in info.filename:
        raise damaged(path, f"the name {info.filename!r} leaves its folder")
    if info.flag_bits & _ENCRYPTED:
        raise damaged(path, f"{info.filename!r} is encrypted")
    return _IMAGE.fullmatch(info.filename)


def _read(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """A member's bytes, at most one more than an image may have; `decode` rejects the rest by its length."""
    try:
        with archive.open(info) as file:
            return file.read(MAX_BYTES + 1)
    except (*_UNREADABLE, EOFError, zlib.error, lzma.LZMAError) as error:
        raise damaged(path, f"{info.filename!r}: {error}") from error
