"""The two networks of a class-conditional GAN, for images whose height and width are divisible by 4.

Sources: DCGAN, Radford et al., arXiv 1511.06434; classes as an input of the generator: Mirza and Osindero, arXiv
1411.1784; spectral normalisation: Miyato et al., arXiv 1802.05957.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from vision_pipeline.core.errors import UserError

_SIZE_DIVISOR = 4  # two of them, so sizes are divisible by this


def check_image_shape(dataset: str, shape: list[int]) -> None:
    """Raise a `UserError` for images that the networks cannot make; `shape` is [height, width, channels]."""
    if any(size % _SIZE_DIVISOR for size in shape[:2]):
        raise UserError(
            f"a generator makes images whose sizes are divisible by {_SIZE_DIVISOR}, those of {dataset} are "
            f"{shape[0]}x{shape[1]}; set datasets.{dataset}.prepare.size"
        )


class Generator(nn.Module):
    """Noise and classes to images: a linear layer, then twice the size by transposed convolutions."""

    one_hot: Tensor

    def __init__(self, latent: int, num_classes: int, width: int, shape: list[int]) -> None:
        """`latent` numbers of noise; `width` filters in the last hidden layer; `shape` [height, width, channels]."""
        super().__init__()
        image_height, image_width, channels = shape
        self.register_buffer("one_hot", torch.eye(num_classes), persistent=False)
        self.start_shape = [4 * width, image_height // 4, image_width // 4]
        self.linear = nn.Linear(latent + num_classes, 4 * width * (image_height // 4) * (image_width // 4), bias=False)
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
        """float (N, latent) and int64 (N,) to float (N, C, H, W), -1 to 1."""
        hidden = self.linear(torch.cat([noise, self.one_hot[targets]], 1))
        images: Tensor = self.layers(hidden.unflatten(1, self.start_shape))
        return images


def _make_norm_relu(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width), nn.ReLU()


class Discriminator(nn.Module):
    """Images and the classes that they are said to be of to one score each: high for real ones.

    The last layer has a row for each class, of which the image's own counts: the projection discriminator (Miyato
    and Koyama, arXiv 1802.05637) on features that keep their places.
    """

    def __init__(self, num_classes: int, width: int, shape: list[int]) -> None:
        """`width` filters in the first layer; `shape` [height, width, channels]."""
        super().__init__()
        image_height, image_width, channels = shape
        self.convs = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 3, padding=1)),
            ]
        )
        self.output = spectral_norm(nn.Linear(4 * width * (image_height // 4) * (image_width // 4), num_classes))

    def forward(self, images: Tensor, targets: Tensor) -> Tensor:
        """float (N, C, H, W), -1 to 1, and int64 (N,) to float (N,)."""
        hidden = images
        for conv in self.convs:
            hidden = leaky_relu(conv(hidden), 0.2)
        scores: Tensor = self.output(hidden.flatten(1)).gather(1, targets[:, None]).squeeze(1)
        return scores
