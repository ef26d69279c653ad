"""Statistics of channels: how they are computed, interpolated and compared."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vision_pipeline.style_transfer.transfer import ChannelStats, compute_channel_stats, concat_stats, match_colors


def _images(seed: int, count: int = 3) -> Tensor:
    """float32 (N, 3, 6, 6) around the middle of the scale."""
    noise = torch.rand(count, 3, 6, 6, generator=torch.Generator().manual_seed(seed))
    return 0.4 + 0.2 * noise


def test_they_are_the_mean_and_the_deviation_over_places() -> None:
    values = torch.tensor([[[[0.0, 2.0], [4.0, 6.0]], [[1.0, 1.0], [1.0, 1.0]]]])
    stats = compute_channel_stats(values)
    assert stats.mean.tolist() == [[3.0, 1.0]]
    assert stats.std.tolist() == [[pytest.approx(5**0.5), pytest.approx(0, abs=2e-3)]]


@given(st.integers(0, 1000), st.integers(1001, 2000))
def test_recoloured_images_have_the_moments_that_were_wanted(seed: int, other: int) -> None:
    target = compute_channel_stats(_images(other))
    actual = compute_channel_stats(match_colors(_images(seed), target))
    torch.testing.assert_close(actual.mean, target.mean, atol=1e-4, rtol=0)
    torch.testing.assert_close(actual.std, target.std, atol=1e-4, rtol=0)


def test_an_image_with_its_own_moments_stays_as_it_is() -> None:
    images = _images(0)
    torch.testing.assert_close(match_colors(images, compute_channel_stats(images)), images)


@given(st.floats(0, 1))
def test_blending_is_linear_from_the_one_to_the_other(share: float) -> None:
    own, other = compute_channel_stats(_images(0)), compute_channel_stats(_images(1))
    blended = own.lerp(other, torch.full((3,), share))
    torch.testing.assert_close(blended.mean, (1 - share) * own.mean + share * other.mean)
    torch.testing.assert_close(blended.std, (1 - share) * own.std + share * other.std)


def test_the_distance_is_nought_to_itself_and_in_units_of_the_others_variance() -> None:
    own = ChannelStats(torch.tensor([[1.0, 1.0]]), torch.tensor([[2.0, 2.0]]))
    other = ChannelStats(torch.tensor([[3.0, 1.0]]), torch.tensor([[2.0, 1.0]]))
    assert own.distance_to(own).tolist() == [0]
    assert own.distance_to(other).tolist() == [pytest.approx(2.5 / 2.5, rel=1e-3)]


def test_those_of_batches_together_are_those_of_all_images() -> None:
    images = _images(0, 5)
    parts = concat_stats([compute_channel_stats(images[:2]), compute_channel_stats(images[2:])])
    assert torch.equal(parts.mean, compute_channel_stats(images).mean) and torch.equal(
        parts.std, compute_channel_stats(images).std
    )
