"""The two networks of a class-conditional GAN, for images whose height and width are divisible by 4.

Sources: DCGAN, Radford et al., arXiv 1511.06434; classes as an input of the generator: Mirza and Osindero, arXiv
1411.1784; spectral normalisation: Miyato et al., arXiv 1802.05957.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.limits import GAN_SIZE_DIVISOR


def check_image_shape(dataset: str, shape: list[int]) -> None:
    """Check that the networks can make images of a data set.

    Args:
        dataset: name of the data set, for the message.
        shape: height, width and channels of its images.

    Raises:
        ConfigError: the height or the width is not divisible by 4.
    """
    if any(size % GAN_SIZE_DIVISOR for size in shape[:2]):
        raise ConfigError(
            f"a generator makes images whose sizes are divisible by {GAN_SIZE_DIVISOR}, those of {dataset} are "
            f"{shape[0]}x{shape[1]}; set datasets.{dataset}.prepare.size"
        )


class Generator(nn.Module):
    """Network from noise and classes to images: a linear layer, then two transposed convolutions that double the size.

    Args:
        latent: length of the noise vector.
        num_classes: number of classes.
        width: number of filters in the last hidden layer.
        shape: height, width and channels of an image.
    """

    one_hot: Tensor

    def __init__(self, latent: int, num_classes: int, width: int, shape: list[int]) -> None:
        super().__init__()
        image_height, image_width, channels = shape
        self.register_buffer("one_hot", torch.eye(num_classes), persistent=False)
        self.start_shape = [4 * width, image_height // GAN_SIZE_DIVISOR, image_width // GAN_SIZE_DIVISOR]
        self.linear = nn.Linear(latent + num_classes, math.prod(self.start_shape), bias=False)
        self.layers = nn.Sequential(
            *_make_norm_relu(4 * width),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),
            *_make_norm_relu(2 * width),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
            *_make_norm_relu(width),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, targets: Tensor) -> Tensor:
        """Return images float (N, C, H, W), -1 to 1, from noise float (N, latent) and classes int64 (N,)."""
        hidden = self.linear(torch.cat([noise, self.one_hot[targets]], 1))
        images: Tensor = self.layers(hidden.unflatten(1, self.start_shape))
        return images


def _make_norm_relu(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width), nn.ReLU()


class Discriminator(nn.Module):
    """Network from images and their claimed classes to one score each, high for real images.

    The last layer has a row for each class, of which only that of the claimed class counts: the projection
    discriminator (Miyato and Koyama, arXiv 1802.05637) on features that keep their positions.

    Args:
        num_classes: number of classes.
        width: number of filters in the first layer.
        shape: height, width and channels of an image.
    """

    def __init__(self, num_classes: int, width: int, shape: list[int]) -> None:
        super().__init__()
        image_height, image_width, channels = shape
        self.convs = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 3, padding=1)),
            ]
        )
        num_features = 4 * width * (image_height // GAN_SIZE_DIVISOR) * (image_width // GAN_SIZE_DIVISOR)
        self.output = spectral_norm(nn.Linear(num_features, num_classes))

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """Return scores float (N,) of images float (N, C, H, W), -1 to 1, and classes int64 (N,)."""
        hidden = images
        for conv in self.convs:
            hidden = leaky_relu(conv(hidden), 0.2)
        scores: Tensor = self.output(hidden.flatten(1)).gather(1, targets[:, None]).squeeze(1)
        return scores
