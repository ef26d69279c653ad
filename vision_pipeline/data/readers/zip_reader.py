"""Read a zip of class folders, such as Microsoft's `PetImages/{Cat,Dog}/N.jpg`, in place."""

import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from vision_pipeline.core.limits import IMAGE_SUFFIXES, MAX_IMAGE_BYTES
from vision_pipeline.data.readers.raw import RawDataset, RawExample, corrupt_file_error, find_single_file

# CLASS/FILE.jpg, one folder down or not; Thumbs.db and read-me files do not match
_SUFFIX = "|".join(map(re.escape, IMAGE_SUFFIXES))
_IMAGE_NAME = re.compile(rf"(?:[^/]+/)?(?P<name>(?P<folder>[^/]+)/[^/]+(?:{_SUFFIX}))", re.IGNORECASE)
_ENCRYPTED_FLAG = 0x1
# zipfile raises ValueError at a name that is no UTF-8, RuntimeError at a compression or version that it does not know
_ZIP_ERRORS = (OSError, zipfile.BadZipFile, ValueError, RuntimeError)


def read_zip(folder: Path, class_names: list[str]) -> RawDataset:
    """Open the only zip of `folder`; its class folders are `class_names`, in any case.

    Raises:
        DataError: the zip is missing, damaged or encrypted, a member's name leaves its folder, or an image
            is in a folder that is no class.
    """
    path = find_single_file(folder, "*.zip")
    archive = _open_zip(path)
    members = [(member, match) for member in archive.infolist() if (match := _match_image(path, member))]
    labels = {name.casefold(): label for label, name in enumerate(class_names)}
    for member, match in members:
        if match["folder"].casefold() not in labels:
            raise corrupt_file_error(
                path, f"{member.filename!r} is in none of the class folders {', '.join(class_names)}"
            )

    def iter_examples() -> Iterator[RawExample]:
        for member, match in members:
            yield RawExample(
                labels[match["folder"].casefold()], match["name"], "train", partial(_read_member, path, archive, member)
            )

    return RawDataset(class_names, len(members), iter_examples)


def _open_zip(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except _ZIP_ERRORS as error:
        raise corrupt_file_error(path, error) from error


def _match_image(path: Path, member: zipfile.ZipInfo) -> re.Match[str] | None:
    """Return the parts of an image's name; None for a member that is no image in a class folder."""
    name = PurePosixPath(member.filename)
    if name.is_absolute() or ".." in name.parts or "\\" in member.filename:
        raise corrupt_file_error(path, f"the name {member.filename!r} leaves its folder")
    if member.flag_bits & _ENCRYPTED_FLAG:
        raise corrupt_file_error(path, f"{member.filename!r} is encrypted")
    return _IMAGE_NAME.fullmatch(member.filename)


def _read_member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes, at most one more than an image may have; `decode` rejects a longer one by its length."""
    try:
        with archive.open(member) as file:
            return file.read(MAX_IMAGE_BYTES + 1)
    except (*_ZIP_ERRORS, EOFError, zlib.error, lzma.LZMAError) as error:
        raise corrupt_file_error(path, f"{member.filename!r}: {error}") from error
