"""Pixels and images of a generator, and the sample sheets."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from vision_pipeline.gan.networks import Generator
from vision_pipeline.gan.sampling import image_grid_png, sample_images, to_pixels, to_symmetric
from vision_pipeline.runtime.device import Runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def test_pixels_go_there_and_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    there = to_symmetric(torch.from_numpy(pixels))
    assert (there.min().item(), there.max().item()) == (-1, 1)
    assert np.array_equal(to_pixels(there), pixels)


def test_images_are_made_of_each_class_in_turn_and_keyed():
    torch.manual_seed(0)
    network = Generator(8, 2, 4, [8, 8, 1])
    images, targets = sample_images(
        network, latent=8, num_classes=2, per_class=3, runtime=CPU, seed=0, purpose="images"
    )
    assert (images.shape, images.dtype) == ((6, 8, 8, 1), np.uint8)
    assert targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert targets.dtype == np.int64
    assert np.array_equal(
        images, sample_images(network, latent=8, num_classes=2, per_class=3, runtime=CPU, seed=0, purpose="images")[0]
    )
    assert not np.array_equal(
        images, sample_images(network, latent=8, num_classes=2, per_class=3, runtime=CPU, seed=1, purpose="images")[0]
    )
    assert network.training


@pytest.mark.parametrize("channels", [1, 3])
def test_a_sheet_has_a_row_for_each_class(channels):
    images = np.zeros((6, 4, 4, channels), np.uint8)
    images += np.arange(6, dtype=np.uint8)[:, None, None, None] * 40
    page = np.array(Image.open(io.BytesIO(image_grid_png(images, 2))))
    assert page.shape[:2] == (2 * (2 * 6 + 2), 2 * (3 * 6 + 2))
    middles = page[[8, 20]][:, [8, 20, 32]]
    assert (middles if channels == 1 else middles[:, :, 0]).tolist() == [[0, 40, 80], [120, 160, 200]]
