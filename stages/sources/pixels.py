"""Is a copy of a data set the official release? Its decoded pixels tell, however they are stored."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from stages.project.console import progress
from stages.sources.entries import CatalogEntry, Columns, Pixels, SplitPixels
from stages.sources.parquet import count_rows, rows


def judge(entry: CatalogEntry, columns: Columns, files: list[Path]) -> tuple[str, str]:
    """Compare Parquet files with the official release: ("official", "") or ("variant", what differs).

    Raises:
        Unfit: a file is damaged.
    """
    notes = []
    for split, official in entry.rows.items():
        mine = [file for file in files if file.name.startswith(f"{split}-")]
        if (count := count_rows(mine)) != official:
            notes.append(f"{split} has {count:,} images, the official release {official:,}")
        elif entry.pixels is None:
            notes.append(f"no pixel digest is known to compare {split} with")
        elif what := _differs(mine, columns, entry.pixels, getattr(entry.pixels, split), count, entry.name):
            notes.append(f"{what} of {split} differ from the official release's")
    return ("variant", "; ".join(notes)) if notes else ("official", "")


def _differs(files: list[Path], columns: Columns, pixels: Pixels, known: SplitPixels, count: int, name: str) -> str:
    """What is not official: "", "pixels", "labels" or "pixels and labels"."""
    read = _arrays(files, columns, pixels.shape, count, name)
    if read is None:
        return "pixels"
    images, labels = read
    orders = [np.arange(count), *([_order(known.also_at, count)] if known.also_at else [])]
    wrong = []
    for order in orders:
        same = {"pixels": _md5(images[order]) == known.images, "labels": _md5(labels[order]) == known.labels}
        wrong.append(" and ".join(what for what, equal in same.items() if not equal))
    return min(wrong, key=len)


def _arrays(
    files: list[Path], columns: Columns, shape: list[int], count: int, name: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Images uint8 (count, *shape) and labels uint8 (count,); None at the first row that cannot be official."""
    images, labels = np.empty((count, *shape), np.uint8), np.empty(count, np.uint8)
    for index, (content, label) in enumerate(progress(rows(files, columns), f"comparing {name}", count)):
        image = _decoded(content, shape)
        if image is None or not isinstance(label, int) or not 0 <= label < 256:
            return None
        images[index], labels[index] = image, label
    return images, labels


def _decoded(content: bytes | None, shape: list[int]) -> np.ndarray | None:
    """One image as stored; None if it has another size or mode, or cannot be read. Its header is looked at first,
    so that a decompression bomb is never unpacked."""
    try:
        with Image.open(io.BytesIO(content or b""), formats=("PNG", "JPEG")) as image:
            if image.size != (shape[1], shape[0]) or image.mode != ("RGB" if len(shape) == 3 else "L"):
                return None
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _order(starts: list[int], count: int) -> np.ndarray:
    """Row indices that put equal blocks, starting at `starts`, one after the other."""
    length = count // len(starts)
    return np.concatenate([np.arange(start, start + length) for start in starts])


def _md5(array: np.ndarray) -> str:
    return hashlib.md5(np.ascontiguousarray(array).data, usedforsecurity=False).hexdigest()
