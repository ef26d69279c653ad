"""Photos of 50 to 250 megapixels: scaled down while they are decoded, one at a time."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from vision_pipeline.data import decode as decode_module
from vision_pipeline.data.decode import ImageDecodeError, decode


@pytest.fixture
def small_giants(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundredth of the pixels is a giant already, so that the tests are quick."""
    monkeypatch.setattr(decode_module, "MAX_PIXELS", 500_000)
    monkeypatch.setattr(decode_module, "_MAX_JPEG_PIXELS", 2_500_000)


def photo(width: int, height: int, kind: str = "JPEG", mode: str = "RGB", **options: object) -> bytes:
    """A bright corner at the top left of a smooth picture."""
    image = Image.linear_gradient("L").resize((width, height)).convert(mode)
    image.paste(Image.new(mode, (width // 2, height // 2), "white"))
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("width", "height", "scale"), [(1000, 500, 1), (1001, 500, 2), (819, 614, 2), (1414, 1414, 2), (1414, 1415, 4),
    (2001, 1249, 4), (30_000, 83, 4)],
)  # fmt: skip
def test_the_scale_depends_on_the_size_alone(small_giants: None, width: int, height: int, scale: int) -> None:
    assert decode(photo(width, height)).shape == (-(-height // scale), -(-width // scale), 3)


def test_above_fifty_megapixels_pixels_are_those_of_the_whole_photo_at_half_its_size(small_giants: None) -> None:
    content = photo(1000, 800)
    with Image.open(io.BytesIO(content)) as image:
        halved = np.asarray(image.reduce(2)).astype(int)
    assert np.abs(decode(content) - halved).mean() < 2


def test_a_photo_of_fifty_megapixels_has_every_pixel(small_giants: None) -> None:
    content = photo(1000, 500)
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(decode(content), np.asarray(image))


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [("JPEG", "L", {}), ("JPEG", "CMYK", {}), ("JPEG", "RGB", {"progressive": True}), ("MPO", "RGB", {})],
)
def test_every_kind_of_jpeg_is_scaled(small_giants: None, kind: str, mode: str, options: dict[str, object]) -> None:
    if kind == "MPO":  # two pictures in one file, as phones write it
        options = {"save_all": True, "append_images": [Image.new("RGB", (40, 40))]}
    assert decode(photo(1000, 800, kind, mode, **options)).shape == (400, 500, 1 if mode == "L" else 3)


def test_orientation_is_honoured_at_half_the_size(small_giants: None) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise makes it upright
    pixels = decode(photo(1000, 800, exif=exif))
    assert pixels.shape == (500, 400, 3)
    assert pixels[:200, 250:].min() > 240 and pixels[300:, :150].mean() < 250


@pytest.mark.parametrize(("kind", "width"), [("PNG", 501), ("TIFF", 501), ("BMP", 501), ("WEBP", 501), ("JPEG", 2501)])
def test_what_cannot_be_scaled_so_far_is_refused(small_giants: None, kind: str, width: int) -> None:
    with pytest.raises(ImageDecodeError, match=f"too large: {width} x 1000; a JPEG may have"):
        decode(photo(width, 1000, kind))


def test_giants_are_decoded_one_at_a_time(small_giants: None, monkeypatch: pytest.MonkeyPatch) -> None:
    alone: list[bool] = []
    load = ImageFile.ImageFile.load

    def noted(image: ImageFile.ImageFile) -> object:
        alone.append(decode_module._LARGE_JPEG_LOCK.locked())
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
    decode(photo(400, 400))
    assert not any(alone)
    decode(photo(1000, 800))
    assert any(alone) and not decode_module._LARGE_JPEG_LOCK.locked()


_PEAK = """
import re, sys
from pathlib import Path
from vision_pipeline.data.decode import read_image

def most_memory():  # kB that this process has had at once
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])

before = most_memory()
print(*read_image(Path(sys.argv[1])).shape, most_memory() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_a_giant_takes_as_much_memory_as_a_photo_of_its_scaled_size(tmp_path: Path) -> None:
    peaks = []
    for width, height in ((12_000, 9_000), (6_000, 4_500)):
        Image.new("L", (width, height)).save(tmp_path / "photo.jpg")
        done = subprocess.run(
            [sys.executable, "-c", _PEAK, str(tmp_path / "photo.jpg")], capture_output=True, text=True, check=True
        )
        *shape, peak = map(int, done.stdout.split())
        assert shape == [4_500, 6_000, 1]
        peaks.append(peak)
    assert 0 < peaks[0] < 1.3 * peaks[1]
