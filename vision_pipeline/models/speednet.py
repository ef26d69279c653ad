"""SpeedNet: a small CNN without residuals that needs only a few epochs.

A frozen first layer whitens 2x2 patches, convolutions are initialised as identities, batch norm has no scale.
Source: Jordan, 94% on CIFAR-10 in 3.29 Seconds on a Single GPU, arXiv 2404.00498 (its network of 64, 256 and 256
filters); whitening and identity initialisation are older, by Page and by Zagoruyko and Komodakis (arXiv 1706.00388).
"""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import unfold

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.layers import compute_output_size, get_activation

_PATCH_SIZE = 2  # pixels, height and width of a whitened patch
_EPSILON = 5e-4  # added to each variance before division: directions that hardly vary are mostly noise
_MAX_INIT_PIXELS = 5000 * 32 * 32  # pixels that the whitening is computed from


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return a SpeedNet.

    Args:
        settings: `widths` (filters of each block), `convolutions` (in each block) and `activation`.
        input_shape: [height, width, channels] of an image.
        classes: the number of logits.

    Raises:
        ConfigError: the inputs are no images, or too small for the number of blocks.
    """
    if len(input_shape) != 3:
        raise ConfigError(f"a speednet takes images; these inputs have shape {input_shape}: use prepared/<data set>")
    return _SpeedNet(settings, input_shape, classes)


class _SpeedNet(nn.Module):
    """The network.

    Its weights are named `whiten...`, `blocks.{i}.convs.{j}...`, `blocks.{i}.norms.{j}...` and `output.weight`.
    """

    def __init__(self, settings: dict[str, Any], input_shape: list[int], classes: int) -> None:
        super().__init__()
        height, width, depth = input_shape
        widths, convolutions = settings["widths"], settings["convolutions"]
        final_size = _compute_final_size(height, len(widths)), _compute_final_size(width, len(widths))
        if min(final_size) < 1:
            raise ConfigError(
                f"widths {widths} have too many blocks for images of {height}x{width}; each block halves them"
            )
        self.whiten = nn.Conv2d(depth, 2 * depth * _PATCH_SIZE**2, _PATCH_SIZE)
        self.whiten.weight.requires_grad_(False)
        sizes = pairwise([self.whiten.out_channels, *widths])
        self.blocks = nn.ModuleList(
            _Block(in_channels, out_channels, convolutions, settings) for in_channels, out_channels in sizes
        )
        self.pool = nn.MaxPool2d(final_size)
        self.output = nn.Linear(widths[-1], classes, bias=False)
        self.activation = get_activation(settings["activation"])
        with torch.no_grad():  # logits near 0 at any width
            self.output.weight.div_(self.output.weight.std() * widths[-1])

    def init_from_data(self, images: Tensor) -> None:
        """Compute the first layer, which whitens the patches of `images`, normalised (N, C, H, W).

        Its filters are the principal directions of the patches, each divided by its deviation, and their negatives.
        """
        num_images = max(1, _MAX_INIT_PIXELS // images[0, 0].numel())
        patches = unfold(images[:num_images].float(), _PATCH_SIZE).transpose(1, 2).flatten(0, 1).double().cpu()
        variance, directions = torch.linalg.eigh(patches.T @ patches / len(patches))
        filters = directions.T / (variance + _EPSILON).sqrt()[:, None]
        filters = filters.flip(0).view(-1, *self.whiten.weight.shape[1:])  # the strongest direction first
        with torch.no_grad():
            self.whiten.weight.copy_(torch.cat([filters, -filters]))

    def forward(self, images: Tensor) -> Tensor:
        """Compute raw logits (N, classes) of normalised float (N, C, H, W)."""
        values = self.activation(self.whiten(images))
        for block in self.blocks:
            values = block(values)
        logits: Tensor = self.output(self.pool(values).flatten(1))
        return logits


class _Block(nn.Module):
    """Convolutions, each with batch norm and activation; the first halves height and width by max-pooling."""

    def __init__(self, in_channels: int, out_channels: int, convolutions: int, settings: dict[str, Any]) -> None:
        super().__init__()
        sizes = pairwise([in_channels] + [out_channels] * convolutions)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in sizes)
        # The momentum is the source's, the epsilon of 1e-12 is not: a channel that hardly varies, as with MNIST's black
        # borders, would give the biases before it huge gradients.
        self.norms = nn.ModuleList(nn.BatchNorm2d(out_channels, momentum=0.4) for _ in range(convolutions))
        self.pool = nn.MaxPool2d(2)
        self.activation = get_activation(settings["activation"])
        for conv in self.convs.children():
            assert isinstance(conv, nn.Conv2d)
            nn.init.dirac_(conv.weight[: conv.in_channels])  # the first filters are the identity
        for norm in self.norms.children():
            norm.get_parameter("weight").requires_grad_(False)

    def forward(self, values: Tensor) -> Tensor:
        """Compute (N, out_channels, H // 2, W // 2) of (N, in_channels, H, W)."""
        for index, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            values = conv(values)
            values = self.activation(norm(self.pool(values) if index == 0 else values))
        return values


def _compute_final_size(size: int, blocks: int) -> int:
    """Return the pixels along one axis after the whitening and the blocks; 0 if the image is too small."""
    size -= _PATCH_SIZE - 1
    for _ in range(blocks):
        if size < 2:
            return 0
        size = compute_output_size(size, 2, 2, 0)
    return size
