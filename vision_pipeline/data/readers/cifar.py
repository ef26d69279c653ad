"""Read CIFAR-10's binary version (https://www.cs.toronto.edu/~kriz/cifar.html); the Python version is pickle.

The archive is a `.tar.gz` of `data_batch_N.bin` and `test_batch.bin`, each a run of records: one byte of label, then
1024 bytes each of red, green and blue, row by row.
"""

import gzip
import io
import re
import tarfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from vision_pipeline.data.readers.raw import (
    RawDataset,
    RawExample,
    SourceSplit,
    check_labels,
    corrupt_file_error,
    find_single_file,
)

_RECORD_BYTES = 1 + 3 * 32 * 32
_BATCH_NAME = re.compile(r"(data_batch_\d+|test_batch)\.bin")
_BLOCK_BYTES = 1 << 20
_MAX_BYTES = 1 << 30  # bytes unpacked; the official archive has 184 MB


def read_cifar(folder: Path, class_names: list[str]) -> RawDataset:
    """Read the only archive of `folder` as images (32, 32, 3), in memory: nothing is extracted to disk.

    Raises:
        DataError: the archive is missing, cut off, too large, or a member's name leaves its folder.
    """
    path = find_single_file(folder, "*.tar.gz")
    batches = dict(sorted(_read_batches(path).items()))
    if not batches:
        raise corrupt_file_error(path, "no data_batch_N.bin or test_batch.bin inside")
    for records in batches.values():
        check_labels(path, records[:, 0], class_names)

    def iter_examples() -> Iterator[RawExample]:
        for name, records in batches.items():
            split: SourceSplit = "test" if name == "test_batch.bin" else "train"
            images = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
            for row, label in enumerate(records[:, 0]):
                yield RawExample(int(label), f"{name}:{row}", split, partial(images.__getitem__, row))

    return RawDataset(class_names, sum(map(len, batches.values())), iter_examples)


def _read_batches(path: Path) -> dict[str, np.ndarray]:
    """Return records, uint8 (N, 3073), by member name."""
    batches: dict[str, np.ndarray] = {}
    try:
        with (
            gzip.open(path) as unpacked,
            tarfile.open(fileobj=(bounded := _BoundedReader(unpacked)), mode="r|") as archive,
        ):
            for member in archive:
                _check_member(path, member)
                name = PurePosixPath(member.name).name
                if _BATCH_NAME.fullmatch(name) and (file := archive.extractfile(member)):
                    batches[name] = _parse_records(path, name, file.read())
            # tarfile stops at a header that it cannot read; gzip's checksum comes last
            while bounded.read(_BLOCK_BYTES):
                pass
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise corrupt_file_error(path, error) from error
    return batches


def _check_member(path: Path, member: tarfile.TarInfo) -> None:
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise corrupt_file_error(path, f"the name {member.name!r} leaves its folder")
    if not (member.isfile() or member.isdir()) or member.issparse():  # the holes of a sparse file cost nothing to write
        raise corrupt_file_error(path, f"{member.name!r} is neither a file nor a folder")


def _parse_records(path: Path, name: str, content: bytes) -> np.ndarray:
    if len(content) == 0 or len(content) % _RECORD_BYTES:
        raise corrupt_file_error(path, f"{name} has {len(content)} bytes, not a multiple of {_RECORD_BYTES}")
    return np.frombuffer(content, np.uint8).reshape(-1, _RECORD_BYTES)


class _BoundedReader(io.RawIOBase):
    """A stream that fails once it has returned more than `_MAX_BYTES`: a small archive can unpack to any size."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._remaining = _MAX_BYTES

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes.

        Raises:
            OSError: the bound is exceeded.
        """
        content = self._stream.read(min(size, self._remaining + 1) if size >= 0 else self._remaining + 1)
        self._remaining -= len(content)
        if self._remaining < 0:
            raise OSError(f"it unpacks to more than {_MAX_BYTES:,} bytes")
        return content
