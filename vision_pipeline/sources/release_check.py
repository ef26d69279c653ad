"""Compare a copy of a data set with the official release by decoded pixels, whatever the storage format."""

import hashlib
import io
from pathlib import Path

import numpy as np
from PIL import Image

from vision_pipeline.core.progress import track
from vision_pipeline.sources.catalog import CatalogEntry, ParquetColumns, PixelDigests, SplitPixelDigests
from vision_pipeline.sources.hub_parquet import count_rows, iter_rows


def classify_release(entry: CatalogEntry, columns: ParquetColumns, files: list[Path]) -> tuple[str, str]:
    """Compare Parquet files with the official release: ("official", "") or ("variant", what differs).

    Raises:
        CatalogMismatch: a file is damaged.
    """
    notes = []
    for split, official_count in entry.rows.items():
        split_files = [file for file in files if file.name.startswith(f"{split}-")]
        if (count := count_rows(split_files)) != official_count:
            notes.append(f"{split} has {count:,} images, the official release {official_count:,}")
        elif entry.pixels is None:
            notes.append(f"no pixel digest is known to compare {split} with")
        elif differing := _find_differences(
            split_files,
            columns,
            pixels=entry.pixels,
            digests=getattr(entry.pixels, split),
            count=count,
            name=entry.name,
        ):
            notes.append(f"{differing} of {split} differ from the official release's")
    return ("variant", "; ".join(notes)) if notes else ("official", "")


def _find_differences(
    files: list[Path],
    columns: ParquetColumns,
    *,
    pixels: PixelDigests,
    digests: SplitPixelDigests,
    count: int,
    name: str,
) -> str:
    """Return which arrays are not official: "", "pixels", "labels" or "pixels and labels"."""
    arrays = _read_arrays(files, columns, shape=pixels.shape, count=count, name=name)
    if arrays is None:
        return "pixels"
    images, labels = arrays
    orders = [np.arange(count), *([_make_block_order(digests.also_at, count)] if digests.also_at else [])]
    mismatches = []
    for order in orders:
        matches = {
            "pixels": _compute_md5(images[order]) == digests.images,
            "labels": _compute_md5(labels[order]) == digests.labels,
        }
        mismatches.append(" and ".join(array_name for array_name, equal in matches.items() if not equal))
    return min(mismatches, key=len)


def _read_arrays(
    files: list[Path], columns: ParquetColumns, *, shape: list[int], count: int, name: str
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return images, uint8 (count, *shape), and labels, uint8 (count,); None at the first row that is not official."""
    images, labels = np.empty((count, *shape), np.uint8), np.empty(count, np.uint8)
    for index, (content, label) in enumerate(track(iter_rows(files, columns), f"comparing {name}", count)):
        image = _decode_as_stored(content, shape)
        if image is None or not isinstance(label, int) or not 0 <= label < 256:
            return None
        images[index], labels[index] = image, label
    return images, labels


def _decode_as_stored(content: bytes | None, shape: list[int]) -> np.ndarray | None:
    """Return one image as stored; None if it has another size or mode, or cannot be read.

    Its header is checked first, so that a decompression bomb is never unpacked.
    """
    try:
        with Image.open(io.BytesIO(content or b""), formats=("PNG", "JPEG")) as image:
            if image.size != (shape[1], shape[0]) or image.mode != ("RGB" if len(shape) == 3 else "L"):
                return None
            return np.asarray(image)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _make_block_order(starts: list[int], count: int) -> np.ndarray:
    """Return row indices that put equal blocks, which begin at `starts`, one after the other."""
    length = count // len(starts)
    return np.concatenate([np.arange(start, start + length) for start in starts])


def _compute_md5(array: np.ndarray) -> str:
    return hashlib.md5(np.ascontiguousarray(array).data, usedforsecurity=False).hexdigest()
