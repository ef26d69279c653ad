"""Every kind of image becomes plain pixels, every other file a reason."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from raw_folders import encoded, random_images

from vision_pipeline.data import decode as decode_module
from vision_pipeline.data.decode import ImageDecodeError, decode, resize_center_crop

GREY = random_images(1, 9, 7)[0]
RGB = random_images(1, 9, 7, 3)[0]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def reason(content: bytes) -> str:
    with pytest.raises(ImageDecodeError) as caught:
        decode(content)
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_kinds_give_the_pixels_back(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(RGB, kind, **options)), RGB)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_grey_stays_one_channel(kind: str) -> None:
    assert np.array_equal(decode(encoded(GREY, kind)), GREY[..., np.newaxis])


def test_one_bit_becomes_black_and_white() -> None:
    bits = Image.fromarray(GREY).convert("1")
    pixels = decode(saved(bits, "PNG"))
    assert pixels.shape == (9, 7, 1)
    assert np.array_equal(pixels[..., 0], np.asarray(bits) * np.uint8(255))


def test_palette_becomes_rgb() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    for kind in ("GIF", "PNG"):
        assert decode(saved(image, kind)).tolist() == [[[10, 20, 30], [200, 100, 50]]]


def test_transparent_pixels_lie_on_white() -> None:
    image = Image.new("RGBA", (3, 1))
    for x, colour in enumerate([(200, 100, 0, 255), (200, 100, 0, 0), (0, 0, 0, 51)]):
        image.putpixel((x, 0), colour)
    assert decode(saved(image, "PNG")).tolist() == [[[200, 100, 0], [255, 255, 255], [204, 204, 204]]]


def test_grey_with_alpha_lies_on_white_and_stays_grey() -> None:
    image = Image.new("LA", (2, 1))
    image.putpixel((0, 0), (40, 255))
    assert decode(saved(image, "PNG")).tolist() == [[[40], [255]]]


def test_transparent_colour_of_a_palette_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.putpixel((1, 0), 1)
    assert decode(saved(image, "PNG", transparency=0)).tolist() == [[[255, 255, 255], [200, 100, 50]]]


def test_cmyk_becomes_rgb() -> None:
    pixels = decode(saved(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100))
    assert pixels.shape == (8, 8, 3)
    assert np.abs(pixels.astype(int) - [255, 0, 0]).max() <= 3


def test_first_frame_of_an_animation() -> None:
    frames = [Image.new("L", (4, 4), value) for value in (50, 200)]
    pixels = decode(saved(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert np.unique(pixels).tolist() == [50]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "corner"),
    [(1, (0, 0)), (2, (0, 1)), (3, (1, 1)), (4, (1, 0)), (5, (0, 0)), (6, (0, 1)), (8, (1, 0))],
)
def test_exif_orientation_is_honoured(kind: str, orientation: int, corner: tuple[int, int]) -> None:
    stored = np.zeros((32, 64), np.uint8)
    stored[:16, :16] = 255  # the stored top left
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(saved(Image.fromarray(stored).convert("RGB"), kind, exif=exif))
    assert pixels.shape == ((64, 32, 3) if orientation >= 5 else (32, 64, 3))
    row, column = -8 if corner[0] else 8, -8 if corner[1] else 8
    assert pixels[row, column, 0] > 250
    assert (pixels > 200).mean() == pytest.approx(1 / 8, abs=0.02)


def test_unreadable_exif_does_not_cost_the_image() -> None:
    content = saved(Image.fromarray(RGB), "PNG", exif=b"Exif\x00\x00 nothing that TIFF knows")
    assert np.array_equal(decode(content), RGB)


def test_reasons_in_plain_words() -> None:
    assert reason(b"") == "empty file"
    assert reason(b"<html>404 not found</html>" * 20) == "not an image"
    assert reason(b"\x00" * 2000) == "not an image"


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_cut_off(kind: str, share: float) -> None:
    content = encoded(random_images(1, 64, 64, 3)[0], kind)
    assert reason(content[: int(len(content) * share)]) == "cut off"


def test_damaged_checksum() -> None:
    content = bytearray(encoded(RGB))
    content[content.index(b"IHDR") + 4] ^= 0x40
    assert reason(bytes(content)) in ("not an image", "damaged")


def bomb(width: int, height: int) -> bytes:
    """A PNG whose header claims a size; its data are a few bytes."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (10_000, 5_001), (2_000_000_000, 1)])
def test_decompression_bombs_are_refused_by_their_header(
    width: int, height: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", lambda _: pytest.fail("a pixel was decoded"))
    allowed = "a JPEG may have 250 megapixels, another image 50"
    assert reason(bomb(width, height)) == f"too large: {width} x {height}; {allowed}"


def test_a_file_over_the_limit_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode_module, "MAX_IMAGE_BYTES", 100)
    assert reason(b"x" * 101) == "too large: more than 100 bytes"


@settings(deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF"]),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=20),
)
def test_a_damaged_file_gives_pixels_or_a_reason(kind: str, damage: list[tuple[float, int]]) -> None:
    content = bytearray(encoded(RGB, kind))
    for place, value in damage:
        content[int(place * len(content))] = value
    try:
        pixels = decode(bytes(content))
    except ImageDecodeError as unreadable:
        assert re.fullmatch(
            r"not an image|cut off|damaged|too large: \d+ x \d+; .*|its pixels have 32 bits, or a sign", str(unreadable)
        )
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3


def test_formats_beyond_the_list_are_no_images() -> None:
    assert reason(saved(Image.fromarray(RGB), "PPM")) == "not an image"


def test_fit_leaves_the_right_size_untouched() -> None:
    pixels = random_images(1, 8, 8, 3)[0]
    assert np.array_equal(resize_center_crop(pixels, 8, 3), pixels)


def test_fit_takes_the_central_square() -> None:
    wide = np.full((20, 60, 3), 10, np.uint8)
    wide[:, 20:40] = 200
    assert np.unique(resize_center_crop(wide, 20, 3)).tolist() == [200]
    half = resize_center_crop(wide.transpose(1, 0, 2), 10, 3)
    assert np.unique(half[2:-2]).tolist() == [200]  # the filter sees the neighbours of the outermost rows


def test_fit_scales_the_shorter_side_then_crops() -> None:
    wide = random_images(1, 20, 60, 3)[0]
    whole = Image.fromarray(wide).resize((30, 10), Image.Resampling.BICUBIC)
    assert np.array_equal(resize_center_crop(wide, 10, 3), np.asarray(whole)[:, 10:20])


def test_fit_is_pillows_antialiased_bicubic() -> None:
    pixels = random_images(1, 40, 40, 3)[0]
    expected = np.asarray(Image.fromarray(pixels).resize((10, 10), Image.Resampling.BICUBIC))
    assert np.array_equal(resize_center_crop(pixels, 10, 3), expected)


def test_fit_turns_colour_to_luma_and_grey_to_three_channels() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 255]]], np.uint8)
    assert resize_center_crop(colours, 2, 1)[..., 0].tolist() == [[76, 150], [29, 255]]
    grey = random_images(1, 5, 5, 1)[0]
    assert np.array_equal(resize_center_crop(grey, 5, 3), np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 500, 3), (500, 1, 1), (3, 4, 3), (31, 33, 1)])
@pytest.mark.parametrize(("size", "channels"), [(4, 1), (28, 3)])
def test_fit_serves_any_shape(shape: tuple[int, int, int], size: int, channels: int) -> None:
    fitted = resize_center_crop(np.full(shape, 77, np.uint8), size, channels)
    assert fitted.shape == (size, size, channels)
    assert fitted.dtype == np.uint8
    assert np.unique(fitted).tolist() == [77]
