"""The first pass over a raw data set: every image decoded in full and hashed."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np

from stages.datasets.decode import Unreadable, decode, decode_exact, eight_bits, fit, range_bits
from stages.datasets.raw import Item, Part, RawSet
from stages.datasets.workers import in_chunks
from stages.project.console import bar

Content = bytes | np.ndarray

_KEEP_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Row:
    """A readable image: its place in the raw set's order and what identifies it."""

    index: int
    part: Part
    label: int
    name: str
    hash: str


class Reject(NamedTuple):
    """An image that is left out, why, and its part and label where they are known."""

    file: str
    reason: str
    part: Part | None = None
    label: int | None = None


@dataclass(frozen=True, slots=True)
class _Deep:
    """A grey image of 16 bits, whose scale is not known before all such images have been decoded."""

    index: int
    largest: int


_Result = Row | Reject | _Deep


@dataclass(frozen=True)
class Scan:
    """What the first pass found.

    Attributes:
        rows: readable images, in the raw set's order.
        rejects: the others.
        fitted: images as they will be stored, by index; empty where all together would take much memory.
        bits: of the range that grey images of 16 bits use, the same for all of them; None where there are none.
    """

    rows: list[Row]
    rejects: list[Reject]
    fitted: dict[int, np.ndarray]
    bits: int | None


def scan(raw: RawSet, size: int, channels: int) -> Scan:
    """Decode and hash all images of `raw`, on all cores; grey images of 16 bits a second time, on their common scale.

    A small data set is fitted to `size` and `channels` on the way, which saves decoding it again.
    """
    keep = raw.count * size * size * channels <= _KEEP_BYTES
    fitted: dict[int, np.ndarray] = {}

    def scan_image(bits: int | None, index: int, item: Item, content: Content) -> _Result:
        try:
            exact = decode_exact(content) if isinstance(content, bytes) else content
        except Unreadable as error:
            return Reject(item.name, str(error), item.part, item.label)
        if exact.dtype == np.uint16 and bits is None:
            return _Deep(index, int(exact.max()))
        pixels = eight_bits(exact, bits)
        if keep:
            fitted[index] = fit(pixels, size, channels)
        return Row(index, item.part, item.label, item.name, pixel_hash(pixels))

    results = _each(raw, range(raw.count), partial(scan_image, None))
    deep = {result.index: result.largest for result in results if isinstance(result, _Deep)}
    bits = range_bits(max(deep.values())) if deep else None
    if deep:
        results += _each(raw, deep, partial(scan_image, bits))
    rows = sorted((result for result in results if isinstance(result, Row)), key=lambda row: row.index)
    return Scan(rows, [result for result in results if isinstance(result, Reject)], fitted, bits)


def _each(raw: RawSet, chosen: Collection[int], work: Callable[[int, Item, Content], _Result]) -> list[_Result]:
    """Return the results of `work` on the images of `raw` whose index is `chosen`, in the raw set's order."""

    def work_chunk(chunk: Sequence[tuple[tuple[int, Item], Content]]) -> list[_Result]:
        return [work(index, item, content) for (index, item), content in chunk]

    images = (((index, item), item.read()) for index, item in enumerate(raw.items()) if index in chosen)
    results: list[_Result] = []
    with bar(len(chosen), "decode") as shown:
        for chunk in in_chunks(work_chunk, images):
            results += chunk
            shown.update(len(chunk))
    return results


def pixels_of(content: Content, bits: int | None) -> np.ndarray:
    """Return pixels uint8 (height, width, 1 or 3) of a raw item's content, with the `bits` of a `Scan`.

    Raises:
        Unreadable: it cannot be decoded.
    """
    return decode(content, bits) if isinstance(content, bytes) else content


def pixel_hash(pixels: np.ndarray) -> str:
    """SHA-256 of the shape and of the pixels in row order, in hexadecimal.

    It identifies an image by what is seen: the same from IDX, PNG or raw bytes, stored as grey or as
    grey in RGB, and whatever size and channels a data set is prepared with.
    """
    if pixels.shape[2] == 3 and (pixels[..., :1] == pixels[..., 1:]).all():
        pixels = pixels[..., :1]
    digest = hashlib.sha256("x".join(map(str, pixels.shape)).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()
