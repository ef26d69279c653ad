"""The two networks of a class-conditional GAN, for images whose height and width are divisible by 4.

Sources: DCGAN, Radford et al., arXiv 1511.06434; classes as an input of the generator: Mirza and Osindero, arXiv
1411.1784; spectral normalisation: Miyato et al., arXiv 1802.05957.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import leaky_relu
from torch.nn.utils.parametrizations import spectral_norm

from stages.project.console import Refusal

_HALVINGS = 4  # two of them, so sizes are divisible by this


def refuse_unfit(dataset: str, shape: list[int]) -> None:
    """Raise a `Refusal` for images that the networks cannot make; `shape` is [height, width, channels]."""
    if any(size % _HALVINGS for size in shape[:2]):
        raise Refusal(
            f"a generator makes images whose sizes are divisible by {_HALVINGS}, those of {dataset} are "
            f"{shape[0]}x{shape[1]}; set datasets.{dataset}.prepare.size"
        )


class Generator(nn.Module):
    """Noise and classes to images: a linear layer, then twice the size by transposed convolutions."""

    one_hot: Tensor

    def __init__(self, latent: int, classes: int, width: int, shape: list[int]) -> None:
        """`latent` numbers of noise; `width` filters in the last hidden layer; `shape` [height, width, channels]."""
        super().__init__()
        height, across, channels = shape
        self.register_buffer("one_hot", torch.eye(classes), persistent=False)
        self.start = [4 * width, height // 4, across // 4]
        self.linear = nn.Linear(latent + classes, 4 * width * (height // 4) * (across // 4), bias=False)
        self.layers = nn.Sequential(
            *_normalised(4 * width),
            nn.ConvTranspose2d(4 * width, 2 * width, 4, stride=2, padding=1, bias=False),
            *_normalised(2 * width),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1, bias=False),
            *_normalised(width),
            nn.Conv2d(width, channels, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, classes: Tensor) -> Tensor:
        """float (N, latent) and int64 (N,) to float (N, C, H, W), -1 to 1."""
        start = self.linear(torch.cat([noise, self.one_hot[classes]], 1))
        images: Tensor = self.layers(start.unflatten(1, self.start))
        return images


def _normalised(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.BatchNorm2d(width), nn.ReLU()


class Discriminator(nn.Module):
    """Images and the classes that they are said to be of to one score each: high for real ones.

    The last layer has a row for each class, of which the image's own counts: the projection discriminator (Miyato
    and Koyama, arXiv 1802.05637) on features that keep their places.
    """

    def __init__(self, classes: int, width: int, shape: list[int]) -> None:
        """`width` filters in the first layer; `shape` [height, width, channels]."""
        super().__init__()
        height, across, channels = shape
        self.convs = nn.ModuleList(
            [
                spectral_norm(nn.Conv2d(channels, width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
                spectral_norm(nn.Conv2d(2 * width, 4 * width, 3, padding=1)),
            ]
        )
        self.output = spectral_norm(nn.Linear(4 * width * (height // 4) * (across // 4), classes))

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """float (N, C, H, W), -1 to 1, and int64 (N,) to float (N,)."""
        values = images
        for conv in self.convs:
            values = leaky_relu(conv(values), 0.2)
        scores: Tensor = self.output(values.flatten(1)).gather(1, classes[:, None]).squeeze(1)
        return scores
