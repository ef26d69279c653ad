"""The shapes of a GAN's networks, and the inputs that they depend on."""

import pytest
import torch

from vision_pipeline.core.errors import UserError
from vision_pipeline.gan.networks import Discriminator, Generator, check_image_shape

SHAPES = [[28, 28, 1], [32, 32, 3], [8, 8, 1], [8, 12, 3]]


@pytest.mark.parametrize("shape", SHAPES)
def test_noise_and_classes_become_images_and_these_one_score_each(shape):
    check_image_shape("toy", shape)  # none of these
    generator, discriminator = Generator(16, 10, 4, shape), Discriminator(10, 4, shape)
    classes = torch.tensor([0, 9, 3])
    images = generator(torch.randn(3, 16), classes)
    assert images.shape == (3, shape[2], *shape[:2])
    assert images.abs().max() <= 1
    assert discriminator(images, classes).shape == (3,)


def test_the_class_decides_beside_the_noise():
    torch.manual_seed(0)
    generator, discriminator = Generator(16, 10, 4, [8, 8, 1]).eval(), Discriminator(10, 4, [8, 8, 1]).eval()
    noise, (same, different) = torch.randn(1, 16).expand(2, -1), torch.tensor([[1, 1], [1, 2]])
    assert torch.allclose(*generator(noise, same), atol=1e-6)
    assert not torch.allclose(*generator(noise, different), atol=1e-4)
    assert torch.allclose(*discriminator(generator(noise, same), same), atol=1e-6)
    assert not torch.allclose(*discriminator(generator(noise, same), different), atol=1e-4)


def test_no_layer_of_the_discriminator_stretches_anything():
    torch.manual_seed(0)
    discriminator = Discriminator(10, 4, [8, 8, 1])
    for _ in range(50):  # each adds a step of the power iteration
        discriminator(torch.randn(4, 1, 8, 8), torch.zeros(4, dtype=torch.int64))
    for layer in (*discriminator.convs, discriminator.output):
        assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("shape", [[30, 30, 1], [28, 30, 1], [9, 8, 3]])
def test_sizes_that_cannot_be_halved_twice_are_refused(shape):
    with pytest.raises(UserError, match=rf"divisible by 4, those of toy are {shape[0]}x{shape[1]}; set datasets\.toy"):
        check_image_shape("toy", shape)
