"""Read a raw data set in two passes.

The first pass decodes every image in full and hashes it. The second decodes the chosen images again, resizes them and
writes them straight to their rows on disk.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vision_pipeline.core.files import write_csv
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.data.decode import (
    ImageDecodeError,
    decode,
    decode_exact,
    get_range_bits,
    resize_center_crop,
    to_uint8,
)
from vision_pipeline.data.format import Split, create_memmap, write_targets
from vision_pipeline.data.parallel import map_chunks
from vision_pipeline.data.readers.raw import RawDataset, RawExample, SourceSplit

RawContent = bytes | np.ndarray
SplitIndex = tuple[Split, int]

_KEEP_BYTES = 256 << 20  # bytes of resized images that are kept from the first pass


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A readable image: its index in the raw set's order, its class and the hash that identifies it."""

    index: int
    source_split: SourceSplit
    label: int
    name: str
    hash: str


class RejectedImage(NamedTuple):
    """An image that is left out, the reason, and its split in the source and label where it has them."""

    file: str
    reason: str
    source_split: SourceSplit | None = None
    label: int | None = None


@dataclass(frozen=True, slots=True)
class _HighDepthImage:
    """A grey image of 16 bits; its scale is set once all such images have been decoded."""

    index: int
    largest: int


_ImageResult = ImageRecord | RejectedImage | _HighDepthImage


@dataclass(frozen=True)
class ScanResult:
    """The result of the first pass.

    Attributes:
        rows: readable images, in the raw set's order.
        rejects: the others.
        resized: images as they will be stored, by index; empty where all of them would take too much memory.
        bits: bits of the range that grey images of 16 bits use, the same for all; None where there are none.
    """

    rows: list[ImageRecord]
    rejects: list[RejectedImage]
    resized: dict[int, np.ndarray]
    bits: int | None


def decode_and_hash(raw: RawDataset, size: int, channels: int) -> ScanResult:
    """Decode and hash all images of `raw`, on all cores.

    Grey images of 16 bits are decoded a second time, on their common scale. The images of a small data set are also
    resized to `size` and `channels`, so that the second pass need not decode them again.
    """
    keep_resized = raw.count * size * size * channels <= _KEEP_BYTES
    resized: dict[int, np.ndarray] = {}

    def scan_image(bits: int | None, index: int, item: RawExample, content: RawContent) -> _ImageResult:
        try:
            exact = decode_exact(content) if isinstance(content, bytes) else content
        except ImageDecodeError as error:
            return RejectedImage(item.name, str(error), item.split, item.label)
        if exact.dtype == np.uint16 and bits is None:
            return _HighDepthImage(index, int(exact.max()))
        pixels = to_uint8(exact, bits)
        if keep_resized:
            resized[index] = resize_center_crop(pixels, size, channels)
        return ImageRecord(index, item.split, item.label, item.name, hash_pixels(pixels))

    results = _map_images(raw, range(raw.count), partial(scan_image, None))
    high_depth = {result.index: result.largest for result in results if isinstance(result, _HighDepthImage)}
    bits = get_range_bits(max(high_depth.values())) if high_depth else None
    if high_depth:
        results += _map_images(raw, high_depth, partial(scan_image, bits))
    rows = sorted((result for result in results if isinstance(result, ImageRecord)), key=lambda row: row.index)
    logger.debug(f"decoded {len(rows)} of {raw.count} images; resized ones kept in memory: {len(resized)}")
    return ScanResult(rows, [result for result in results if isinstance(result, RejectedImage)], resized, bits)


def _map_images(
    raw: RawDataset, indices: Collection[int], work: Callable[[int, RawExample, RawContent], _ImageResult]
) -> list[_ImageResult]:
    """Return the results of `work` on the images of `raw` whose index is in `indices`, in the raw set's order."""

    def work_chunk(chunk: Sequence[tuple[tuple[int, RawExample], RawContent]]) -> list[_ImageResult]:
        return [work(index, item, content) for (index, item), content in chunk]

    images = (((index, item), item.read()) for index, item in enumerate(raw.iter_examples()) if index in indices)
    results: list[_ImageResult] = []
    with progress_bar(len(indices), "decode") as pbar:
        for chunk in map_chunks(work_chunk, images):
            results += chunk
            pbar.update(len(chunk))
    return results


def decode_content(content: RawContent, bits: int | None) -> np.ndarray:
    """Return pixels, uint8 (height, width, 1 or 3), of an example's content, with the `bits` of a `ScanResult`.

    Raises:
        ImageDecodeError: it cannot be decoded.
    """
    return decode(content, bits) if isinstance(content, bytes) else content


def hash_pixels(pixels: np.ndarray) -> str:
    """Return the SHA-256 of the shape and of the pixels in row order, in hexadecimal.

    It identifies an image by its visible content: it is the same from IDX, PNG or raw bytes, stored as grey or as
    grey in RGB, and for any size and channels that a data set is prepared with.
    """
    if pixels.shape[2] == 3 and (pixels[..., :1] == pixels[..., 1:]).all():
        pixels = pixels[..., :1]
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def write_images(
    folder: Path,
    raw: RawDataset,
    *,
    resized: dict[int, np.ndarray],
    splits: dict[Split, list[ImageRecord]],
    size: int,
    channels: int,
    bits: int | None,
) -> np.ndarray:
    """Write `inputs.npy`, `targets.npy` and `rows.csv` of every split, and return the inputs of train.

    Pixels go through memory maps, so the memory in use does not grow with the number of images.

    Args:
        folder: the data set's folder.
        raw: the raw data set.
        resized: resized images by index, from the first pass; where it is empty, images are decoded from `raw`.
        splits: the rows of each split, in order.
        size: height and width, pixels.
        channels: 1 or 3.
        bits: bits of the range that grey images of 16 bits use, from the first pass.

    Returns:
        uint8 (N, size, size, channels), memory-mapped.
    """
    arrays = {
        split: create_memmap(folder, split, num_rows=len(rows), shape=[size, size, channels], kind="images")
        for split, rows in splits.items()
    }
    split_indices: dict[int, SplitIndex] = {
        row.index: (split, index) for split, rows in splits.items() for index, row in enumerate(rows)
    }

    def write_chunk(chunk: Sequence[tuple[SplitIndex, RawContent]]) -> int:
        for (split, index), content in chunk:
            arrays[split][index] = resize_center_crop(decode_content(content, bits), size, channels)
        return len(chunk)

    with progress_bar(len(split_indices), "write") as pbar:
        for count in map_chunks(write_chunk, _iter_chosen(raw, resized, split_indices)):
            pbar.update(count)
    for split, rows in splits.items():
        write_targets(folder, split, np.array([row.label for row in rows]))
        write_rows_csv(folder, split, ((row.hash, row.name) for row in rows))
    return arrays["train"]


def _iter_chosen(
    raw: RawDataset, resized: dict[int, np.ndarray], split_indices: dict[int, SplitIndex]
) -> Iterator[tuple[SplitIndex, RawContent]]:
    if resized:
        yield from ((split_index, resized[index]) for index, split_index in split_indices.items())
        return
    for index, item in enumerate(raw.iter_examples()):
        if index in split_indices:
            yield split_indices[index], item.read()


def write_rows_csv(folder: Path, split: Split, rows: Iterable[tuple[str, str]]) -> None:
    """Write `rows.csv` of a split: the hash of each row's content, and its name in the source."""
    write_csv(folder / split / "rows.csv", ("hash", "name"), rows)


def write_rejects_csv(path: Path, rejects: list[RejectedImage]) -> None:
    """Write `rejects.csv`: file and reason, sorted."""
    write_csv(path, ("file", "reason"), sorted((reject.file, reject.reason) for reject in rejects))
