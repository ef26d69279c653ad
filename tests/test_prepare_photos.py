"""Prepare on many photos, and on the real images."""

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from prepared_data import Prepare, counts_of, mirrored, raw, rejects, rows_of
from raw_folders import (
    encoded,
    write_provenance,
    write_zip,
)

from vision_pipeline.data import ingest
from vision_pipeline.data.format import SPLITS


def anonymous_memory() -> int:
    """Bytes of this process that no file backs."""
    match = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match is not None
    return int(match[1]) * 1024


@pytest.fixture
def peak_memory() -> Iterator[Callable[[], int]]:
    """The most anonymous memory since the test began, in bytes above what was in use then."""
    start, peaks, stop = anonymous_memory(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            peaks.append(anonymous_memory() - start)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield lambda: max(peaks)
    stop.set()
    watcher.join()


def striped_photo(number: int) -> bytes:
    """A JPEG of 720 x 480 whose nine stripes are the bits of `number`."""
    stripes = np.repeat([255 * (number >> bit & 1) for bit in range(9)], 80).astype(np.uint8)
    return encoded(np.broadcast_to(stripes[:, np.newaxis], (480, 720, 3)).copy(), "JPEG")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")
def test_memory_does_not_grow_with_the_number_of_photos(
    prepare: Prepare, peak_memory: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 photos: 311 MB of pixels, 45 MB as stored. Neither is held in memory, with or without a second decoding."""
    write_provenance(raw("cats_dogs"), "zip", ["cat", "dog"])
    photos = {f"PetImages/{('Cat', 'Dog')[index % 2]}/{index}.jpg": striped_photo(index) for index in range(300)}
    write_zip(raw("cats_dogs"), photos)
    monkeypatch.setattr(ingest, "_KEEP_BYTES", 0)
    assert sum(counts_of(prepare("cats_dogs")).values()) == 300
    assert 0 < peak_memory() < 120_000_000


@pytest.mark.real
def test_real_raw_zip(prepare: Prepare, real_data: Path) -> None:
    write_provenance(raw("cats_dogs"), "zip", ["cat", "dog"])
    sample = real_data / "cats_vs_dogs_raw_sample" / "kagglecatsanddogs_sample.zip"
    (raw("cats_dogs") / sample.name).symlink_to(sample)
    prepared = prepare("cats_dogs")
    assert rejects("cats_dogs") == [
        ("Cat/1000.jpg", "cut off"),
        ("Cat/666.jpg", "empty file"),
        ("Dog/11702.jpg", "not an image"),
    ]
    assert counts_of(prepared) == {"train": 31, "val": 4, "test": 4}
    names = {row["name"] for split in SPLITS for row in rows_of(prepared, split)}
    assert {"Dog/1500.jpg", "Cat/1001.jpg", "Dog/1501.jpg"} < names  # palette, grey, CMYK
    assert prepared.info.shape == [224, 224, 3]


@pytest.mark.real
def test_real_mnist(prepare: Prepare, real_data: Path) -> None:
    mirrored("mnist", real_data, "mnist/mnist")
    prepared = prepare("mnist")
    assert counts_of(prepared) == {"train": 54_000, "val": 6_000, "test": 10_000}
    test_counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert list(prepared.info.counts["test"].values()) == test_counts
    assert list(prepared.info.counts["val"].values()) == [592, 674, 596, 613, 584, 542, 592, 627, 585, 595]
    assert prepared.info.mean == pytest.approx([0.1307], abs=5e-5)
    assert prepared.info.std == pytest.approx([0.3081], abs=1e-4)
    assert rejects("mnist") == []


@pytest.mark.real
def test_real_mnist_with_a_limit(prepare: Prepare, real_data: Path) -> None:
    write_provenance(raw("mnist"), "parquet", None)
    test = real_data / "mnist" / "mnist" / "test-00000-of-00001.parquet"
    (raw("mnist") / "train-00000-of-00001.parquet").symlink_to(test)
    assert counts_of(prepare("mnist", limit=1000)) == {"train": 800, "val": 100, "test": 100}
