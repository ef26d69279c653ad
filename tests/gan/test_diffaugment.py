"""The augmentation of the images that the discriminator sees."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.gan.diffaugment import DiffAugParams, apply_diffaug, sample_diffaug

AWAY = 99  # a hole's middle outside of every image


def _changes(shift: tuple[int, int], hole: tuple[int, int] = (AWAY, AWAY)) -> DiffAugParams:
    return DiffAugParams(torch.tensor([shift]), torch.tensor([hole]))


@given(st.integers(-3, 3), st.integers(-3, 3))
def test_a_shift_moves_pixels_and_lets_zeros_in(down, right):
    images = torch.rand(1, 2, 8, 12) + 1
    moved = apply_diffaug(images, _changes((down, right)))
    for y in range(8):
        for x in range(12):
            inside = 0 <= y - down < 8 and 0 <= x - right < 12
            expected = images[0, :, y - down, x - right] if inside else torch.zeros(2)
            assert torch.equal(moved[0, :, y, x], expected)


def test_a_hole_takes_half_of_height_and_width():
    holed = apply_diffaug(torch.ones(1, 1, 8, 8), _changes((0, 0), (4, 3)))
    expected = torch.ones(8, 8)
    expected[2:6, 1:5] = 0
    assert torch.equal(holed[0, 0], expected)


def test_each_image_has_its_own_changes():
    images = torch.rand(2, 1, 8, 8)
    both = DiffAugParams(torch.tensor([[1, 0], [0, -1]]), torch.tensor([[AWAY, AWAY], [4, 4]]))
    alone = [
        apply_diffaug(images[i : i + 1], DiffAugParams(both.shifts[i : i + 1], both.hole_centers[i : i + 1]))
        for i in (0, 1)
    ]
    assert torch.equal(apply_diffaug(images, both), torch.cat(alone))
    assert torch.equal(apply_diffaug(images[1:], both.last(1)), alone[1])


def test_the_gradient_flows_through_to_the_pixels_that_are_seen():
    images = torch.rand(1, 1, 8, 8, requires_grad=True)
    apply_diffaug(images, _changes((1, 0), (4, 4))).sum().backward()
    expected = torch.ones(8, 8)
    expected[7] = 0  # moved out
    expected[1:5, 2:6] = 0  # under the hole, a row further up before the shift
    assert torch.equal(images.grad[0, 0], expected)


@pytest.mark.parametrize(("size", "farthest"), [(28, 3), (32, 4)])
def test_shifts_are_up_to_an_eighth(size, farthest):
    drawn = sample_diffaug(2000, (size, size), torch.Generator().manual_seed(0))
    assert (drawn.shifts.min().item(), drawn.shifts.max().item()) == (-farthest, farthest)
    assert (drawn.hole_centers.min().item(), drawn.hole_centers.max().item()) == (0, size - 1)
