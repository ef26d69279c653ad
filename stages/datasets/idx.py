"""MNIST's own format: gzipped IDX files (http://yann.lecun.com/exdb/mnist/)."""

import gzip
import struct
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from stages.datasets.raw import Item, Part, RawSet, check_labels, damaged

_FILES: dict[Part, str] = {"train": "train", "test": "t10k"}
_MAX_BYTES = 1 << 30  # unpacked; MNIST's largest file has 47 MB


def read_idx(folder: Path, class_names: list[str]) -> RawSet:
    """The four files `{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz` as images (height, width, 1).

    Raises:
        Refusal: a file is missing, cut off, longer than its header says, or not IDX.
    """
    parts = {part: _part(folder, stem, class_names) for part, stem in _FILES.items()}

    def items() -> Iterator[Item]:
        for part, (images, labels) in parts.items():
            for row, label in enumerate(labels):
                name = f"{_FILES[part]}-images-idx3-ubyte.gz:{row}"
                yield Item(int(label), name, part, partial(images.__getitem__, row))

    return RawSet(class_names, sum(len(labels) for _, labels in parts.values()), items)


def _part(folder: Path, stem: str, class_names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    images = _array(folder / f"{stem}-images-idx3-ubyte.gz", dimensions=3)
    path = folder / f"{stem}-labels-idx1-ubyte.gz"
    labels = _array(path, dimensions=1)
    if len(images) != len(labels):
        raise damaged(path, f"{len(labels)} labels for {len(images)} images")
    check_labels(path, labels, class_names)
    return images[..., np.newaxis], labels


def _array(path: Path, dimensions: int) -> np.ndarray:
    """An IDX file of unsigned bytes; its size is known from the header before anything is unpacked."""
    try:
        with gzip.open(path) as file:
            magic, *shape = struct.unpack(f">{1 + dimensions}I", file.read(4 + 4 * dimensions))
            if magic != 0x0800 + dimensions:
                raise damaged(path, f"not an IDX file of bytes with {dimensions} dimensions")
            size = int(np.prod(shape, dtype=object))
            if size == 0 or size > _MAX_BYTES:
                raise damaged(path, f"its header declares {size} bytes")
            content = file.read(size + 1)
    except FileNotFoundError:
        raise damaged(path, "it is missing") from None
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise damaged(path, error) from error
    if len(content) != size:
        raise damaged(path, f"its header declares {size} bytes, it holds {'more' if len(content) > size else 'fewer'}")
    return np.frombuffer(content, np.uint8).reshape(shape)
