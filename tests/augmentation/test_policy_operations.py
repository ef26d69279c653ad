"""The result of each operation, to the pixel."""

import pytest
import torch
from drawn_parameters import FILLS, drawn_as, random_pixels
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vision_pipeline.augmentation.policy import apply_params
from vision_pipeline.runtime.preprocessing import uint8_to_float


def _augment(rows: list[list[int]], fill: str = "zeros", **values: float) -> list[list[int]]:
    """One grey image through `augment`, as whole grey values."""
    pixels = torch.tensor(rows, dtype=torch.uint8)[None, :, :, None]
    result = apply_params(pixels, drawn_as(1, **values), fill)[0, 0] * 255
    assert torch.allclose(result, result.round(), atol=1e-3)
    return result.round().int().tolist()


SQUARE = [[1, 2], [3, 4]]
NINE = [[1, 2, 3], [4, 5, 6], [7, 8, 9]]


def test_flips() -> None:
    assert _augment(SQUARE, hflip=1) == [[2, 1], [4, 3]]
    assert _augment(SQUARE, vflip=1) == [[3, 4], [1, 2]]
    assert _augment(SQUARE, hflip=1, vflip=1) == [[4, 3], [2, 1]]


def test_a_quarter_turn_is_clockwise() -> None:
    assert _augment(SQUARE, rot90=1) == [[3, 1], [4, 2]]


def test_the_quarter_turn_comes_before_the_flips() -> None:
    assert _augment(SQUARE, rot90=1, hflip=1) == [[1, 3], [2, 4]]


def test_shifts_to_the_right_and_up() -> None:
    assert _augment(NINE, right=1) == [[0, 1, 2], [0, 4, 5], [0, 7, 8]]
    assert _augment(NINE, up=1) == [[4, 5, 6], [7, 8, 9], [0, 0, 0]]
    assert _augment(NINE, right=-1, up=-2) == [[0, 0, 0], [0, 0, 0], [2, 3, 0]]


def test_the_flip_comes_before_the_shift() -> None:
    assert _augment(NINE, hflip=1, right=1) == [[0, 3, 2], [0, 6, 5], [0, 9, 8]]


def test_shifts_with_other_fills() -> None:
    assert _augment(NINE, "border", right=1, up=1) == [[4, 4, 5], [7, 7, 8], [7, 7, 8]]
    assert _augment(NINE, "reflection", right=2) == [[2, 1, 1], [5, 4, 4], [8, 7, 7]]
    assert _augment(NINE, "reflection", up=2) == [[7, 8, 9], [7, 8, 9], [4, 5, 6]]


@pytest.mark.parametrize("far", [3, 4, 7, -3, -1000])
def test_shifts_beyond_the_image(far: int) -> None:
    assert _augment(NINE, "zeros", right=far) == [[0, 0, 0]] * 3
    edge = 0 if far > 0 else 2
    assert _augment(NINE, "border", right=far) == [[row[edge]] * 3 for row in NINE]
    mirrored = [*NINE[0], *reversed(NINE[0])] * 400
    assert _augment(NINE, "reflection", right=far)[0] == [mirrored[(column - far) % 6] for column in range(3)]


def test_rotation_is_counter_clockwise() -> None:
    assert _augment(NINE, degrees=90) == [[3, 6, 9], [2, 5, 8], [1, 4, 7]]
    assert _augment(NINE, degrees=-90) == _augment(NINE, rot90=1)
    assert _augment(NINE, degrees=180) == _augment(NINE, hflip=1, vflip=1)


def test_rotation_then_shift() -> None:
    """Turned first, the shift is along the new image's axes."""
    assert _augment(NINE, degrees=90, right=1) == [[0, 3, 6], [0, 2, 5], [0, 1, 4]]


def test_flip_then_rotation() -> None:
    assert _augment(NINE, hflip=1, degrees=90) == [[1, 4, 7], [2, 5, 8], [3, 6, 9]]


def test_a_factor_of_2_fills_the_frame_with_the_central_half() -> None:
    four = [[0, 0, 0, 0], [0, 40, 80, 0], [0, 120, 160, 0], [0, 0, 0, 0]]
    unit = apply_params(torch.tensor(four, dtype=torch.uint8)[None, :, :, None], drawn_as(1, factor=2.0), "zeros")
    # pixel 1 of the new row lies at -0.5 pixels from the centre, so at -0.25 of the old: 3/4 of 40, 1/4 of 80
    assert unit[0, 0, 1, 1].item() * 255 == pytest.approx(
        0.75 * (0.75 * 40 + 0.25 * 80) + 0.25 * (0.75 * 120 + 0.25 * 160)
    )
    assert unit[0, 0, 0, 0].item() * 255 == pytest.approx(0.75 * 0.75 * 40)


def test_a_factor_of_one_half_shrinks_the_image_into_the_frame() -> None:
    unit = apply_params(torch.full((1, 8, 8, 1), 200, dtype=torch.uint8), drawn_as(1, factor=0.5), "zeros") * 255
    assert torch.allclose(unit[0, 0, 2:6, 2:6], torch.tensor(200.0))
    assert (unit[0, 0, [0, 1, 6, 7]] == 0).all() and (unit[0, 0, :, [0, 1, 6, 7]] == 0).all()


@given(st.floats(1.0, 3.0), st.integers(0, 255), st.sampled_from(FILLS))
@settings(max_examples=30)
def test_a_constant_image_stays_constant_when_zoomed_in(factor: float, grey: int, fill: str) -> None:
    pixels = torch.full((1, 9, 9, 1), grey, dtype=torch.uint8)
    assert torch.allclose(apply_params(pixels, drawn_as(1, factor=factor), fill), uint8_to_float(pixels), atol=1e-6)


@given(st.floats(0.3, 3.0), st.floats(-180, 180), st.floats(-20, 20), st.floats(-20, 20), st.sampled_from(FILLS[1:]))
@settings(max_examples=30)
def test_a_constant_image_stays_constant_where_the_fill_continues_it(
    factor: float, degrees: float, right: float, up: float, fill: str
) -> None:
    pixels = torch.full((1, 6, 9, 2), 77, dtype=torch.uint8)
    drawn = drawn_as(1, factor=factor, degrees=degrees, right=right, up=up)
    assert torch.allclose(apply_params(pixels, drawn, fill), uint8_to_float(pixels), atol=1e-6)


@given(st.integers(0, 10_000), st.sampled_from(["hflip", "vflip"]))
@settings(max_examples=20)
def test_a_flip_twice_is_nothing(seed: int, flip: str) -> None:
    pixels = random_pixels(2, seed=seed)
    assert torch.equal(_twice(pixels, 2, **{flip: 1}), pixels)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_four_quarter_turns_are_nothing(seed: int) -> None:
    pixels = random_pixels(2, seed=seed)
    assert torch.equal(_twice(pixels, 4, rot90=1), pixels)
    assert torch.equal(_twice(pixels, 1, rot90=1), torch.rot90(pixels, k=-1, dims=(1, 2)))


def _twice(pixels: Tensor, times: int, **values: float) -> Tensor:
    for _ in range(times):
        unit = apply_params(pixels, drawn_as(len(pixels), **values), "zeros")
        assert torch.equal(unit, uint8_to_float((unit * 255).round().to(torch.uint8).permute(0, 2, 3, 1)))
        pixels = (unit * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
    return pixels


@given(st.integers(-9, 9), st.integers(-9, 9), st.sampled_from(FILLS), st.booleans(), st.booleans())
@settings(max_examples=40)
def test_exact_and_interpolated_moves_agree(right: int, up: int, fill: str, hflip: bool, vflip: bool) -> None:
    """A shift by a hair more than whole pixels goes the other way through the code, to the same place."""
    pixels = random_pixels(1, 7)
    whole = apply_params(pixels, drawn_as(1, right=right, up=up, hflip=hflip, vflip=vflip), fill)
    hair = apply_params(pixels, drawn_as(1, right=right + 1e-7, up=up, hflip=hflip, vflip=vflip), fill)
    assert (whole - hair).abs().max().item() < 1e-4


def test_quarter_turns_need_square_images() -> None:
    with pytest.raises(ValueError, match="square"):
        apply_params(torch.zeros(1, 2, 3, 1, dtype=torch.uint8), drawn_as(1, rot90=1), "zeros")


def test_images_of_any_shape_are_flipped_and_shifted() -> None:
    pixels = torch.arange(6, dtype=torch.uint8).view(1, 2, 3, 1)
    moved = apply_params(pixels, drawn_as(1, hflip=1, up=1), "zeros")
    assert (moved[0, 0] * 255).round().int().tolist() == [[5, 4, 3], [0, 0, 0]]


def test_images_without_an_operation_keep_their_exact_values_in_any_batch() -> None:
    pixels = random_pixels(6)
    one_by_one = drawn_as(
        6,
        noise=torch.ones(1, 3, 8, 8),
        hflip=[0, 1, 0, 0, 0, 0],
        degrees=[0, 0, 10, 0, 0, 0],
        right=[0, 0, 0, 2, 0, 0],
        std=[0, 0, 0, 0, 0.1, 0],
    )
    result = apply_params(pixels, one_by_one, "reflection")
    plain = uint8_to_float(pixels)
    assert [torch.equal(result[row], plain[row]) for row in range(6)] == [True, False, False, False, False, True]
    assert torch.equal(result[1], plain[1].flip(2))
    assert torch.equal(result[3][:, :, 2:], plain[3][:, :, :-2])


def test_an_image_comes_out_the_same_in_any_batch() -> None:
    """Permuting the images together with their parameters permutes the results, to the bit."""
    pixels, order = random_pixels(5, 16), torch.tensor([3, 0, 4, 1, 2])
    values = {"degrees": [0.0, 5, -7, 30, 0], "factor": [1.0, 1.1, 1, 0.8, 1], "right": [2.0, 0, 1, 0.5, 0]}
    moved = apply_params(pixels, drawn_as(5, **values), "reflection")
    permuted = {name: [numbers[row] for row in order] for name, numbers in values.items()}
    assert torch.equal(apply_params(pixels[order], drawn_as(5, **permuted), "reflection"), moved[order])


def test_what_comes_out() -> None:
    pixels = random_pixels(3, 8)
    before = pixels.clone()
    for values in ({}, {"hflip": 1}, {"degrees": 5}, {"degrees": [5.0, 0, 0]}, {"rot90": 1, "right": 1}):
        result = apply_params(pixels, drawn_as(3, **values), "zeros")
        assert result.dtype == torch.float32 and result.shape == (3, 3, 8, 8)
        assert result.is_contiguous(memory_format=torch.channels_last)
        assert result.min() >= 0 and result.max() <= 1
    assert torch.equal(pixels, before)


def test_noise_has_the_mean_and_deviation_that_were_drawn() -> None:
    """Mid-grey, std 0.1: clamping touches 5 standard deviations, so the moments stay."""
    count = 16 * 32 * 32
    noise = torch.randn(16, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    pixels = torch.full((16, 32, 32, 1), 128, dtype=torch.uint8)
    change = (apply_params(pixels, drawn_as(16, noise=noise, std=0.1), "zeros") - 128 / 255).double()
    assert abs(change.mean().item()) < 3 * 0.1 / count**0.5
    assert change.std().item() == pytest.approx(0.1, rel=0.02)


def test_noise_is_clamped() -> None:
    noise = torch.tensor([5.0, -5.0])[:, None, None, None].expand(2, 1, 2, 2)
    pixels = torch.full((2, 2, 2, 1), 128, dtype=torch.uint8)
    noisy = apply_params(pixels, drawn_as(2, noise=noise, std=0.2), "zeros")
    assert (noisy[0] == 1).all() and (noisy[1] == 0).all()
