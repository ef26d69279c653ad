"""Read MNIST's own format: gzipped IDX files (http://yann.lecun.com/exdb/mnist/)."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from vision_pipeline.data.readers.raw import RawDataset, RawExample, SourceSplit, check_labels, corrupt_file_error

_FILE_STEMS: dict[SourceSplit, str] = {"train": "train", "test": "t10k"}
_MAX_BYTES = 1 << 30  # bytes unpacked; MNIST's largest file has 47 MB


def read_idx(folder: Path, class_names: list[str]) -> RawDataset:
    """Read the four files `{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz` as images (height, width, 1).

    Raises:
        DataError: a file is missing, cut off, longer than its header says, or not IDX.
    """
    splits = {split: _read_split(folder, stem, class_names) for split, stem in _FILE_STEMS.items()}

    def iter_examples() -> Iterator[RawExample]:
        for split, (images, labels) in splits.items():
            for row, label in enumerate(labels):
                name = f"{_FILE_STEMS[split]}-images-idx3-ubyte.gz:{row}"
                yield RawExample(int(label), name, split, partial(images.__getitem__, row))

    return RawDataset(class_names, sum(len(labels) for _, labels in splits.values()), iter_examples)


def _read_split(folder: Path, stem: str, class_names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    images = _read_idx_file(folder / f"{stem}-images-idx3-ubyte.gz", dimensions=3)
    path = folder / f"{stem}-labels-idx1-ubyte.gz"
    labels = _read_idx_file(path, dimensions=1)
    if len(images) != len(labels):
        raise corrupt_file_error(path, f"{len(labels)} labels for {len(images)} images")
    check_labels(path, labels, class_names)
    return images[..., np.newaxis], labels


def _read_idx_file(path: Path, dimensions: int) -> np.ndarray:
    """Return the array of an IDX file of unsigned bytes; its header declares the size before anything is unpacked."""
    try:
        with gzip.open(path) as file:
            magic, *shape = struct.unpack(f">{1 + dimensions}I", file.read(4 + 4 * dimensions))
            if magic != 0x0800 + dimensions:
                raise corrupt_file_error(path, f"not an IDX file of bytes with {dimensions} dimensions")
            size = int(np.prod(shape, dtype=object))
            if size == 0 or size > _MAX_BYTES:
                raise corrupt_file_error(path, f"its header declares {size} bytes")
            content = file.read(size + 1)
    except FileNotFoundError:
        raise corrupt_file_error(path, "it is missing") from None
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise corrupt_file_error(path, error) from error
    if len(content) != size:
        raise corrupt_file_error(
            path, f"its header declares {size} bytes, it holds {'more' if len(content) > size else 'fewer'}"
        )
    return np.frombuffer(content, np.uint8).reshape(shape)
