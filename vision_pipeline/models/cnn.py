"""Convolutional network: blocks of convolution, activation and 2x2 max-pooling, then fully connected layers."""

from itertools import pairwise
from typing import Any

from torch import Tensor, nn

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.layers import Dropout, compute_output_size, get_activation, make_linears

# Activations that never fall: the largest of four values is the same before and after. If pooling comes first, they
# process a quarter of the values.
_MONOTONIC = ("relu", "leaky_relu")


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return a CNN.

    Args:
        settings: `channels`, `kernel`, `padding`, `hidden`, `activation`, `dropout` and `batch_norm`.
        input_shape: [height, width, channels] of an image.
        classes: the number of logits.

    Raises:
        ConfigError: the inputs are no images, or too small for the number of blocks.
    """
    if len(input_shape) != 3:
        raise ConfigError(f"a cnn takes images; these inputs have shape {input_shape}: use prepared/<data set>")
    return _CNN(settings, input_shape, classes)


def _compute_flat_size(settings: dict[str, Any], height: int, width: int) -> int:
    """Return the number of values that leave the last block.

    Raises:
        ConfigError: the image is too small for the number of blocks.
    """
    channels, kernel, padding = settings["channels"], settings["kernel"], settings["padding"]
    sizes = [height, width]
    try:
        for _ in channels:
            sizes = [compute_output_size(compute_output_size(size, kernel, 1, padding), 2, 2, 0) for size in sizes]
    except ValueError as error:
        raise ConfigError(
            f"channels {channels} with kernel {kernel} and padding {padding} leave nothing of images of "
            f"{height}x{width} ({error}); use fewer blocks, a smaller kernel or larger images"
        ) from error
    return int(channels[-1] * sizes[0] * sizes[1])


class _CNN(nn.Module):
    """The network; its weights are named `convs.{i}...`, `norms.{i}...`, `hidden_layers.{i}...` and `output...`."""

    def __init__(self, settings: dict[str, Any], input_shape: list[int], classes: int) -> None:
        super().__init__()
        height, width, depth = input_shape
        channels, kernel, padding = settings["channels"], settings["kernel"], settings["padding"]
        sizes = [_compute_flat_size(settings, height, width), *settings["hidden"]]
        pairs = pairwise([depth, *channels])
        self.convs = nn.ModuleList(
            nn.Conv2d(in_channels, out_channels, kernel, padding=padding) for in_channels, out_channels in pairs
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(size) for size in channels if settings["batch_norm"])
        self.hidden_layers = make_linears(sizes)
        self.output = nn.Linear(sizes[-1], classes)
        self.activation = get_activation(settings["activation"])
        self.pool = nn.MaxPool2d(2, 2)
        self.pool_first = settings["activation"] in _MONOTONIC
        self.dropout = Dropout(settings["dropout"])

    def forward(self, images: Tensor) -> Tensor:
        """Compute raw logits (N, classes) of normalised float (N, C, H, W)."""
        values = images
        for index, conv in enumerate(self.convs):
            values = conv(values)
            if self.norms:
                values = self.norms[index](values)
            first, second = (self.pool, self.activation) if self.pool_first else (self.activation, self.pool)
            values = second(first(values))
        values = self.dropout(values.flatten(1))
        for layer in self.hidden_layers:
            values = self.dropout(self.activation(layer(values)))
        logits: Tensor = self.output(values)
        return logits
