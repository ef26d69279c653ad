"""Mean and standard deviation to the last bit."""

import numpy as np
import pytest
from raw_folders import random_images

from vision_pipeline.core.errors import UserError
from vision_pipeline.data import statistics
from vision_pipeline.data.statistics import channel_mean_std


def test_against_numpy() -> None:
    images = random_images(50, 9, 7, 3) // np.array([1, 2, 3], np.uint8)
    mean, std = channel_mean_std(images)
    assert mean == pytest.approx((images / 255).mean((0, 1, 2)), abs=1e-12)
    assert std == pytest.approx((images / 255).std((0, 1, 2)), abs=1e-12)


def test_black_and_white_are_exact() -> None:
    images = np.zeros((2, 3, 3, 1), np.uint8)
    images[1] = 255
    assert channel_mean_std(images) == ([0.5], [0.5])


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    images = random_images(50, 9, 7, 3)
    whole = channel_mean_std(images)
    monkeypatch.setattr(statistics, "_CHUNK_BYTES", 9 * 7 * 3 * 7)
    assert channel_mean_std(images) == whole
    assert channel_mean_std(images[::-1]) == whole


def test_one_colour_everywhere() -> None:
    with pytest.raises(UserError, match="one value"):
        channel_mean_std(np.full((4, 2, 2, 3), 9, np.uint8))


def test_a_channel_that_is_the_same_everywhere_has_a_deviation_of_one() -> None:
    images = random_images(5, 4, 4, 3)
    images[..., 1] = 51
    mean, std = channel_mean_std(images)
    assert mean[1] == pytest.approx(0.2)
    assert std[1] == 1.0
    assert min(std[0], std[2]) < 0.5
