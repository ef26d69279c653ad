"""Fast transfer, by a small random network."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from vision_pipeline.runtime.preprocessing import uint8_to_float
from vision_pipeline.style_transfer.procedural_textures import render_texture
from vision_pipeline.style_transfer.transfer import StyleTransfer, compute_channel_stats

_PALETTE = np.array([[20, 0, 60], [250, 180, 30], [240, 240, 220]], np.uint8)


def _layers(unit: Tensor) -> list[Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 12, 3, 2, 1)
    shallow = first.requires_grad_(False)(unit).relu()
    return [shallow, second.requires_grad_(False)(shallow).relu()]


@pytest.fixture(scope="module")
def transfer() -> StyleTransfer:
    pictures = [render_texture(motif, _PALETTE, 16, [0]) for motif in ("dabs", "bands")]
    return StyleTransfer(_layers, pictures, torch.device("cpu"))


def _images(count: int) -> Tensor:
    pixels = np.random.default_rng(0).normal(110, 30, (count, 16, 16, 3))
    return torch.from_numpy(pixels.clip(0, 255).astype(np.uint8))


def _distance(pixels: Tensor, picture: str) -> Tensor:
    """How far the first layer's statistics are from the picture's."""
    target = _layers(uint8_to_float(torch.from_numpy(np.array(render_texture(picture, _PALETTE, 16, [0])))[None]))[0]
    return compute_channel_stats(_layers(uint8_to_float(pixels))[0]).distance_to(compute_channel_stats(target))


def test_an_image_comes_nearer_to_the_picture_that_it_was_given(transfer: StyleTransfer) -> None:
    images, pictures = _images(4), torch.tensor([0, 1, 0, 1])
    before = images.clone()
    styled = transfer(images, pictures, torch.ones(4))
    assert torch.equal(images, before)
    assert (styled.shape, styled.dtype, transfer.num_styles) == (images.shape, torch.uint8, 2)
    for row, picture in enumerate(("dabs", "bands") * 2):
        assert _distance(styled[row : row + 1], picture) < 0.3 * _distance(images[row : row + 1], picture)


def test_the_stronger_the_nearer_and_without_strength_the_image_itself(transfer: StyleTransfer) -> None:
    image, picture = _images(1), torch.tensor([0])
    styled = [transfer(image, picture, torch.tensor([strength])) for strength in (0.0, 0.5, 1.0)]
    assert (styled[0].int() - image.int()).abs().max() <= 1
    none, half, full = (_distance(image, "dabs").item() for image in styled)
    assert full < half < none


def test_an_image_does_not_depend_on_its_neighbours(transfer: StyleTransfer) -> None:
    images = _images(11)  # more than are done at once
    pictures, strength = torch.arange(11) % 2, torch.linspace(0.5, 1, 11, dtype=torch.float64)
    together = transfer(images, pictures, strength)
    for row in (0, 8, 10):
        alone = transfer(images[row : row + 1], pictures[row : row + 1], strength[row : row + 1])
        assert (together[row].int() - alone[0].int()).abs().max() <= 2  # the last bits of sums differ
    assert torch.equal(transfer(images, pictures, strength), together)


def test_flat_images_stay_finite(transfer: StyleTransfer) -> None:
    flat = torch.zeros(2, 16, 16, 3, dtype=torch.uint8)
    flat[1] = 255
    styled = transfer(flat, torch.tensor([0, 1]), torch.ones(2))
    assert torch.equal(styled, transfer(flat, torch.tensor([0, 1]), torch.ones(2)))
    assert (styled[0].float().mean() - styled[1].float().mean()).abs() < 60  # of the pictures' colours, not 0 and 255
