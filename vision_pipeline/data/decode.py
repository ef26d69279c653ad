"""Decode images of any kind to plain pixels, and resize pixels to the size of a data set."""

import io
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.limits import MAX_IMAGE_BYTES

MAX_PIXELS = 50_000_000  # pixels of a decoded image; a JPEG that has more is scaled down while it is decoded
_MAX_JPEG_PIXELS = 250_000_000  # pixels before that scaling; a decompression bomb has more
# held while more than MAX_PIXELS are decoded: a progressive JPEG of that size takes up to 2 GB
_LARGE_JPEG_LOCK = Lock()
_FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")

# The size in the header is compared with the limits above before a pixel is decoded, and is named in the reason;
# Pillow's own check would raise first, without naming it.
Image.MAX_IMAGE_PIXELS = None

_EXIF_ORIENTATION = 0x0112  # EXIF tag; 1 is upright
_EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageDecodeError(Exception):
    """An image that cannot be used; the message is the reason in plain words."""


def read_image(path: Path, bits: int | None = None) -> np.ndarray:
    """Return all pixels of an image's file, as `decode` does.

    Raises:
        ImageDecodeError: the file cannot be read or decoded.
    """
    return to_uint8(read_image_exact(path), bits)


def read_image_exact(path: Path) -> np.ndarray:
    """Return all pixels of an image's file, as `decode_exact` does.

    Raises:
        ImageDecodeError: the file cannot be read or decoded.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_IMAGE_BYTES + 1)
    except OSError as error:
        raise ImageDecodeError(error.strerror or "unreadable") from error
    return decode_exact(content)


def decode(content: bytes, bits: int | None = None) -> np.ndarray:
    """Return the pixels of an encoded image as uint8: `decode_exact`, then `to_uint8` with `bits`.

    Raises:
        ImageDecodeError: no image, cut off, damaged or too large.
    """
    return to_uint8(decode_exact(content), bits)


def decode_exact(content: bytes) -> np.ndarray:
    """Return all pixels of an encoded image, upright: (height, width, 1) if it is grey, else (height, width, 3).

    The pixels are uint8, or uint16 where the image is grey with 16 bits. Palettes and CMYK become RGB, transparent
    pixels are laid on white. The upper 8 bits of colours of 16 bits are kept (Pillow reads no more), and the first
    frame of an animation. A JPEG of more than 50 megapixels is read at 1/2, 1/4 or 1/8 of its height and width, the
    largest of these that has at most 50.

    Raises:
        ImageDecodeError: no image, cut off, damaged or too large.
    """
    if not content:
        raise ImageDecodeError("empty file")
    if len(content) > MAX_IMAGE_BYTES:
        raise ImageDecodeError(f"too large: more than {MAX_IMAGE_BYTES:,} bytes")
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            with _LARGE_JPEG_LOCK if _draft_large_jpeg(image) else nullcontext():
                image.load()
            return _to_array(_to_l_or_rgb(_apply_exif(image)))
    except (ImageDecodeError, MemoryError):
        raise
    except Exception as error:  # a hostile file can raise anything inside its parser
        raise ImageDecodeError(_classify_error(error)) from error


def to_uint8(pixels: np.ndarray, bits: int | None) -> np.ndarray:
    """Return uint16 pixels scaled to uint8; uint8 pixels are returned unchanged.

    Args:
        pixels: uint8 or uint16, from `decode_exact`.
        bits: the range 0 to 2**bits - 1 becomes 0 to 255, and larger values 255; None: the range that this image uses.
    """
    if pixels.dtype == np.uint8:
        return pixels
    shift = (get_range_bits(int(pixels.max())) if bits is None else bits) - 8
    return np.minimum(pixels >> shift, 255).astype(np.uint8)


def get_range_bits(largest: int) -> int:
    """Return the bits of the smallest range, at least 8 bits, that holds the value `largest`."""
    return max(8, largest.bit_length())


def get_grey_bits(provenance: Mapping[str, Any]) -> int | None:
    """Return the bits of the range that a data set's 16-bit images use; None where it has no such images.

    Args:
        provenance: the data's provenance, as a checkpoint or an export stores it.

    Raises:
        ArtifactError: the number is not one that `prepare` writes.
    """
    bits = provenance.get("grey_bits")
    if bits is not None and (type(bits) is not int or not 8 <= bits <= 16):
        raise ArtifactError(
            f"the data's provenance has grey_bits {bits!r}, which is not 8 to 16; train the model again"
        )
    return bits


def resize_center_crop(pixels: np.ndarray, size: int, channels: int) -> np.ndarray:
    """Return the central square of an image, uint8 (size, size, channels).

    Pixels are scaled once, bicubic with antialiasing, so that the shorter side becomes `size`; an image that
    already has the size is not changed. RGB becomes grey by ITU-R 601 luma, grey becomes three equal channels.
    """
    height, width, source_channels = pixels.shape
    if (height, width, source_channels) == (size, size, channels):
        return pixels
    image = Image.fromarray(pixels.squeeze(2) if source_channels == 1 else pixels)
    if (height, width) != (size, size):
        left, top = (width - min(height, width)) / 2, (height - min(height, width)) / 2
        crop_box = (left, top, width - left, height - top)
        image = image.resize((size, size), Image.Resampling.BICUBIC, box=crop_box)
    return _to_array(image.convert("L" if channels == 1 else "RGB"))


def _to_array(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image)
    if pixels.dtype.itemsize == 2:
        pixels = pixels.astype(np.uint16)  # the bytes may be swapped
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


def _draft_large_jpeg(image: Image.Image) -> bool:
    """Set a JPEG of more than MAX_PIXELS to be decoded at a fraction of its size; return whether it has that many.

    The fraction depends on the size alone.

    Raises:
        ImageDecodeError: the image is too large for that, or is no JPEG.
    """
    width, height = image.size
    if width * height <= MAX_PIXELS:
        return False
    if not isinstance(image, JpegImageFile) or width * height > _MAX_JPEG_PIXELS:
        limits = f"a JPEG may have {_MAX_JPEG_PIXELS // 10**6} megapixels, another image {MAX_PIXELS // 10**6}"
        raise ImageDecodeError(f"too large: {width} x {height}; {limits}")
    scale = next(scale for scale in (2, 4, 8) if -(-width // scale) * -(-height // scale) <= MAX_PIXELS)
    image.draft(None, (width // scale, height // scale))
    return True


def _apply_exif(image: Image.Image) -> Image.Image:
    """Return the image turned as its EXIF data demand.

    `ImageOps.exif_transpose` would also rewrite the data, and fail on malformed ones.
    """
    try:
        orientation = image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # pixels can be sound although no parser reads the EXIF data
        return image
    method = _EXIF_TRANSPOSES.get(orientation)
    return image if method is None else image.transpose(method)


def _to_l_or_rgb(image: Image.Image) -> Image.Image:
    """Return the image in the mode L or RGB; grey of 16 bits is returned unchanged."""
    if image.mode in ("I", "F"):
        raise ImageDecodeError("its pixels have 32 bits, or a sign")
    if image.mode.startswith("I;16"):
        return image
    mode = "L" if image.mode in ("1", "L", "LA", "La") else "RGB"
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    return image if image.mode == mode else image.convert(mode)


def _classify_error(error: Exception) -> str:
    """Return a reason in plain words, the same on every machine; Pillow's messages can hold memory addresses."""
    if isinstance(error, UnidentifiedImageError):
        return "not an image"
    truncation_words = ("truncated", "broken data stream", "premature")
    return "cut off" if any(word in str(error).lower() for word in truncation_words) else "damaged"
