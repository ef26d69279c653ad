"""The first pass over a raw data set: every image decoded in full and hashed."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from stages.datasets.decode import Unreadable, decode, fit
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
    """An image that is left out, and why."""

    file: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """What the first pass found.

    Attributes:
        rows: readable images, in the raw set's order.
        rejects: the others.
        fitted: images as they will be stored, by index; empty where all together would take much memory.
    """

    rows: list[Row]
    rejects: list[Reject]
    fitted: dict[int, np.ndarray]


def scan(raw: RawSet, size: int, channels: int) -> Scan:
    """Decode and hash all images of `raw`, on all cores.

    A small data set is fitted to `size` and `channels` on the way, which saves decoding it again.
    """
    keep = raw.count * size * size * channels <= _KEEP_BYTES
    found = Scan([], [], {})

    def scan_image(index: int, item: Item, content: Content) -> Row | Reject:
        try:
            pixels = pixels_of(content)
        except Unreadable as error:
            return Reject(item.name, str(error))
        if keep:
            found.fitted[index] = fit(pixels, size, channels)
        return Row(index, item.part, item.label, item.name, pixel_hash(pixels))

    def scan_chunk(chunk: Sequence[tuple[tuple[int, Item], Content]]) -> list[Row | Reject]:
        return [scan_image(index, item, content) for (index, item), content in chunk]

    images = (((index, item), item.read()) for index, item in enumerate(raw.items()))
    with bar(raw.count, "decode") as shown:
        for results in in_chunks(scan_chunk, images):
            found.rows.extend(result for result in results if isinstance(result, Row))
            found.rejects.extend(result for result in results if isinstance(result, Reject))
            shown.update(len(results))
    return found


def pixels_of(content: Content) -> np.ndarray:
    """Pixels uint8 (height, width, 1 or 3) of what a raw item reads.

    Raises:
        Unreadable: it cannot be decoded.
    """
    return decode(content) if isinstance(content, bytes) else content


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
