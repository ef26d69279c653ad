"""The first pass over a raw data set: every image decoded in full and hashed."""

import hashlib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vision_pipeline.core.files import write_csv
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

_KEEP_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """A readable image: its place in the raw set's order and what identifies it."""

    index: int
    source_split: SourceSplit
    label: int
    name: str
    hash: str


class RejectedImage(NamedTuple):
    """An image that is left out, why, and its part and label where they are known."""

    file: str
    reason: str
    source_split: SourceSplit | None = None
    label: int | None = None


@dataclass(frozen=True, slots=True)
class _HighDepthImage:
    """A grey image of 16 bits, whose scale is not known before all such images have been decoded."""

    index: int
    largest: int


_ImageResult = ImageRecord | RejectedImage | _HighDepthImage


@dataclass(frozen=True)
class ScanResult:
    """What the first pass found.

    Attributes:
        rows: readable images, in the raw set's order.
        rejects: the others.
        resized: images as they will be stored, by index; empty where all together would take much memory.
        bits: of the range that grey images of 16 bits use, the same for all of them; None where there are none.
    """

    rows: list[ImageRecord]
    rejects: list[RejectedImage]
    resized: dict[int, np.ndarray]
    bits: int | None


def decode_and_hash(raw: RawDataset, size: int, channels: int) -> ScanResult:
    """Decode and hash all images of `raw`, on all cores; grey images of 16 bits a second time, on their common scale.

    A small data set is fitted to `size` and `channels` on the way, which saves decoding it again.
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
    return ScanResult(rows, [result for result in results if isinstance(result, RejectedImage)], resized, bits)


def _map_images(
    raw: RawDataset, indices: Collection[int], work: Callable[[int, RawExample, RawContent], _ImageResult]
) -> list[_ImageResult]:
    """Return the results of `work` on the images of `raw` whose index is `indices`, in the raw set's order."""

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
    """Return pixels uint8 (height, width, 1 or 3) of a raw item's content, with the `bits` of a `ScanResult`.

    Raises:
        Unreadable: it cannot be decoded.
    """
    return decode(content, bits) if isinstance(content, bytes) else content


def hash_pixels(pixels: np.ndarray) -> str:
    """SHA-256 of the shape and of the pixels in row order, in hexadecimal.

    It identifies an image by what is seen: the same from IDX, PNG or raw bytes, stored as grey or as
    grey in RGB, and whatever size and channels a data set is prepared with.
    """
    if pixels.shape[2] == 3 and (pixels[..., :1] == pixels[..., 1:]).all():
        pixels = pixels[..., :1]
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


# MERGED The second pass: the chosen images decoded again, fitted and written straight to their rows on disk.
SplitIndex = tuple[Split, int]


def write_images(
    folder: Path,
    raw: RawDataset,
    resized: dict[int, np.ndarray],
    splits: dict[Split, list[ImageRecord]],
    size: int,
    channels: int,
    bits: int | None,
) -> np.ndarray:
    """Write `inputs.npy`, `targets.npy` and `rows.csv` of every split; gives the inputs of train.

    Images come from `resized`, else from `raw`, with the scan's `bits`. Pixels go through memory maps, so the memory
    in use does not grow with the number of images.
    """
    arrays = {
        split: create_memmap(folder, split, len(rows), [size, size, channels], "images")
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


def write_rows_csv(folder: Path, split: Split, rows: Iterable[tuple[str, str]]) -> None:
    """Write `rows.csv` of a split: the hash of each row's content, and its name in the source."""
    write_csv(folder / split / "rows.csv", ("hash", "name"), rows)


def write_rejects_csv(path: Path, rejects: list[RejectedImage]) -> None:
    """Write `rejects.csv`: file and reason, sorted."""
    write_csv(path, ("file", "reason"), sorted((reject.file, reject.reason) for reject in rejects))


def _iter_chosen(
    raw: RawDataset, resized: dict[int, np.ndarray], split_indices: dict[int, SplitIndex]
) -> Iterator[tuple[SplitIndex, RawContent]]:
    if resized:
        yield from ((split_index, resized[index]) for index, split_index in split_indices.items())
        return
    for index, item in enumerate(raw.iter_examples()):
        if index in split_indices:
            yield split_indices[index], item.read()
