"""Encoded images of any kind to plain pixels, and pixels to the size a data set has."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

MAX_BYTES = 64 << 20  # of an encoded image
MAX_PIXELS = 50_000_000  # of a decoded one; a decompression bomb has more
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")

# `decode` compares the size in the header with the stricter MAX_PIXELS before a pixel is decoded,
# and names it; Pillow's own check would raise first, without naming it.
Image.MAX_IMAGE_PIXELS = None

_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class Unreadable(Exception):
    """An image that cannot be used; the message is the reason in plain words."""


def read(path: Path) -> np.ndarray:
    """All pixels of an image's file, as `decode` gives them.

    Raises:
        Unreadable: likewise, or there is no such file that can be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise Unreadable(error.strerror or "unreadable") from error
    return decode(content)


def decode(content: bytes) -> np.ndarray:
    """All pixels of an encoded image, upright: uint8 (height, width, 1) if it is grey, else (height, width, 3).

    Palettes and CMYK become RGB, transparent pixels are laid on white, of 16 bits the upper 8 are kept
    (as Pillow does for colours), of animations the first frame.

    Raises:
        Unreadable: no image, cut off, damaged or too large.
    """
    if not content:
        raise Unreadable("empty file")
    if len(content) > MAX_BYTES:
        raise Unreadable(f"too large: more than {MAX_BYTES:,} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise Unreadable(f"too large: {image.width} x {image.height}")
            image.load()
            return _pixels(_plain(_upright(image)))
    except (Unreadable, MemoryError):
        raise
    except Exception as error:  # a hostile file can raise anything inside its parser
        raise Unreadable(_reason(error)) from error


def fit(pixels: np.ndarray, size: int, channels: int) -> np.ndarray:
    """The central square at `size` x `size`, uint8 (size, size, channels).

    Pixels are scaled once, bicubic with antialiasing, so that the shorter side becomes `size`; pixels that
    have the size already are not touched. RGB becomes grey by ITU-R 601 luma, grey becomes three equal channels.
    """
    height, width, found = pixels.shape
    if (height, width, found) == (size, size, channels):
        return pixels
    image = Image.fromarray(pixels.squeeze(2) if found == 1 else pixels)
    if (height, width) != (size, size):
        left, top = (width - min(height, width)) / 2, (height - min(height, width)) / 2
        square = (left, top, width - left, height - top)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=square)
    return _pixels(image.convert("L" if channels == 1 else "RGB"))


def _pixels(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF data asks; `ImageOps.exif_transpose` would also rewrite them, and fail on odd ones."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # EXIF data that no parser reads say nothing about sound pixels
        return image
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def _plain(image: Image.Image) -> Image.Image:
    """Mode L or RGB."""
    if image.mode in ("I", "F"):
        raise Unreadable("its pixels have 32 bits")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image if image.mode == mode else image.convert(mode)


def _reason(error: Exception) -> str:
    """Plain words that are the same everywhere; Pillow's own messages can hold memory addresses."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    cut = ("truncated", "broken data stream", "premature")
    return "cut off" if any(word in str(error).lower() for word in cut) else "damaged"
