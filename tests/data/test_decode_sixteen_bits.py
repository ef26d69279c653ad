"""Grey images of 16 bits: scaled by the range that their data set uses, the same for every one of them."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from prepared_data import Prepare, raw, rejects, rows_of
from raw_folders import encoded, random_images, write_parquet, write_provenance

from vision_pipeline.core.errors import UserError
from vision_pipeline.data import ingest
from vision_pipeline.data.decode import ImageDecodeError, decode, get_grey_bits
from vision_pipeline.data.format import SPLITS, PreparedDataset
from vision_pipeline.data.ingest import hash_pixels


def deep(most: int, seed: int, kind: str = "TIFF") -> bytes:
    """An image of 16 bits, 20 pixels wide, with values from 0 to `most`."""
    values = np.random.default_rng(seed).integers(0, most + 1, (20, 20), np.uint16)
    values[0, 0] = most
    return encoded(values, kind)


def big_endian(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.frombytes("I;16B", values.shape[::-1], values.astype(">u2").tobytes()).save(file, "TIFF")
    return file.getvalue()


def prepared_from(
    prepare: Prepare, images: list[bytes | None], test: list[bytes | None] | None = None
) -> PreparedDataset:
    """A data set of `images`, whose classes take turns, as it is prepared."""
    write_provenance(raw("cats_dogs"), "parquet", ["cat", "dog"])
    for part, content in (("train", images), ("test", test or [])):
        if content:
            names: list[str | None] = [f"{part}-{index}" for index in range(len(content))]
            write_parquet(raw("cats_dogs"), part, content, [index % 2 for index in range(len(content))], paths=names)
    return prepare("cats_dogs")


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_an_image_alone_is_scaled_by_its_own_bits(kind: str) -> None:
    for most, bits in ((15, 8), (255, 8), (256, 9), (1000, 10), (4095, 12), (20_000, 15), (0xFFFF, 16)):
        values = np.linspace(0, most, 64).astype(np.uint16).reshape(8, 8)
        assert np.array_equal(decode(encoded(values, kind))[..., 0], values >> (bits - 8)), most


def test_the_bits_of_a_data_set_scale_darker_and_lighter_images() -> None:
    values = np.array([[0, 15, 16], [200, 4095, 9000]], np.uint16)
    assert decode(encoded(values), 12)[..., 0].tolist() == [[0, 0, 1], [12, 255, 255]]
    assert decode(encoded(values), 16)[..., 0].tolist() == [[0, 0, 0], [0, 15, 35]]


def test_bytes_in_the_other_order_give_the_same_pixels() -> None:
    values = np.random.default_rng(0).integers(0, 4096, (9, 7), np.uint16)
    pixels = decode(big_endian(values), 12)
    assert np.array_equal(pixels[..., 0], values >> 4)
    assert hash_pixels(pixels) == hash_pixels(decode(encoded(values), 12))


def test_eight_bits_stay_whatever_the_range() -> None:
    image = random_images(1, 9, 7)[0]
    assert np.array_equal(decode(encoded(image), 12)[..., 0], image)


def test_thirty_two_bits_and_signed_ones_are_refused() -> None:
    for values in (np.ones((4, 4), np.int32), np.ones((4, 4), np.float32)):
        with pytest.raises(ImageDecodeError, match="its pixels have 32 bits, or a sign"):
            decode(encoded(values, "TIFF"))


@pytest.mark.parametrize("keep", [True, False])
def test_one_scale_serves_every_split(
    prepare: Prepare, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, keep: bool
) -> None:
    if not keep:
        monkeypatch.setattr(ingest, "_KEEP_BYTES", 0)
    images = [deep(4095 if index % 2 else 200, index) for index in range(20)]
    prepared = prepared_from(prepare, images, [deep(3000, 100), deep(100, 101)])
    assert rejects("cats_dogs") == []  # dim images do not become equal
    assert "grey images of 16 bits use 12 of them: 0 to 4,095 is scaled to 0 to 255" in capsys.readouterr().out
    assert prepared.info.provenance["grey_bits"] == 12
    contents = {f"train-{index}": image for index, image in enumerate(images)}
    contents |= {"test-0": deep(3000, 100), "test-1": deep(100, 101)}
    for split in SPLITS:
        for row, pixels in zip(rows_of(prepared, split), prepared.inputs(split), strict=True):
            whole = decode(contents[row["name"]], 12)
            assert row["hash"] == hash_pixels(whole)
            assert abs(int(pixels.max()) - int(whole.max())) < 40  # as bright, resized


def test_the_order_of_rows_stays_with_a_second_decoding(prepare: Prepare) -> None:
    """The first of two equal images is kept, whichever of them has 16 bits."""
    image = random_images(1, 20, 20)[0]
    twins = [encoded(image), encoded(image.astype(np.uint16) << 8)]
    others = [encoded(other) for other in random_images(20, 20, 20, seed=1)]
    prepared_from(prepare, [twins[1], *others, deep(0xFFFF, 3), twins[0]])
    assert rejects("cats_dogs") == [("train-22", "twice in train: train-0")]


def test_without_such_images_nothing_is_added(prepare: Prepare, capsys: pytest.CaptureFixture[str]) -> None:
    prepared_from(prepare, [encoded(image) for image in random_images(20, 20, 20)])
    info = json.loads(Path("data/prepared/cats_dogs/dataset.json").read_text())
    assert "grey_bits" not in info["provenance"]
    assert "16 bits" not in capsys.readouterr().out


@pytest.mark.parametrize("bits", [7, 17, "12", 12.0, True, [12]])
def test_a_scale_that_prepare_does_not_write_is_refused(bits: object) -> None:
    with pytest.raises(UserError, match="grey_bits"):
        get_grey_bits({"grey_bits": bits})
