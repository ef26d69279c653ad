"""Fast style transfer: a few optimisation steps on the pixels of a batch.

The style is the mean and the deviation of each channel of a network's shallow layers. The steps match these statistics,
while the deepest of the layers keeps the content, and start from an image that has the style's colours already. Unlike
AdaIN this needs no trained decoder, so any picture can be a style at once.
Steps, learning rate and weights were chosen by eye, on photos of 128 x 128 pixels.
Sources: Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization, arXiv 1703.06868;
on the style in the statistics of batch norm, Li et al., arXiv 1701.01036.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vision_pipeline.runtime.preprocessing import float_to_uint8, uint8_to_float

_STEPS, _LR = 8, 0.04  # of Adam, for pixels on the scale 0 to 1
_CONTENT_WEIGHT, _SMOOTHNESS_WEIGHT = 0.5, 6.0  # beside the weight 1 of each layer's statistics
_BATCH_SIZE = 8  # images whose activations stay in a CPU's cache
# These keep divisors above 0: the deviation of a flat channel, the mean square of a black image's content, and the
# strength (one so small moves no pixel by a grey value).
_STD_EPSILON, _CONTENT_EPSILON, _MIN_STRENGTH = 1e-3, 1e-6, 1e-3

LayerActivations = Callable[[Tensor], list[Tensor]]


@dataclass(frozen=True)
class ChannelStats:
    """Mean and deviation of each channel of N images in one layer, or of their colours: float32 (N, C) each."""

    mean: Tensor
    std: Tensor

    def select(self, rows: Tensor | slice) -> "ChannelStats":
        """Return the statistics of some of the images."""
        return ChannelStats(self.mean[rows], self.std[rows])

    def lerp(self, other: "ChannelStats", weight: Tensor) -> "ChannelStats":
        """Interpolate linearly: a `weight` (N,) of 0 gives these statistics, 1 the other's."""
        return ChannelStats(
            torch.lerp(self.mean, other.mean, weight[:, None]), torch.lerp(self.std, other.std, weight[:, None])
        )

    def distance_to(self, other: "ChannelStats") -> Tensor:
        """Compute the mean square of the differences to `other`, in units of its mean variance: (N,)."""
        squared_error = (self.mean - other.mean).square() + (self.std - other.std).square()
        return squared_error.mean(1) / (other.std.square().mean(1) + _STD_EPSILON)


def compute_channel_stats(values: Tensor) -> ChannelStats:
    """Compute mean and deviation over the positions of float (N, C, H, W)."""
    variance, mean = torch.var_mean(values, (2, 3), correction=0)
    return ChannelStats(mean, (variance + _STD_EPSILON**2).sqrt())


def concat_stats(parts: Sequence[ChannelStats]) -> ChannelStats:
    """Join the statistics of several batches."""
    return ChannelStats(torch.cat([part.mean for part in parts]), torch.cat([part.std for part in parts]))


def match_colors(images: Tensor, target: ChannelStats) -> Tensor:
    """Scale and shift the channels of images (N, C, H, W) on the scale 0 to 1 to the statistics `target`, and clamp."""
    source = compute_channel_stats(images)
    scale = target.std / source.std
    return (images * scale[:, :, None, None] + (target.mean - source.mean * scale)[:, :, None, None]).clamp(0, 1)


class StyleTransfer:
    """Transfer of the styles of pictures to images; `num_styles` is the number of style pictures."""

    def __init__(self, layers: LayerActivations, style_images: Iterable[np.ndarray], device: torch.device) -> None:
        """Compute the statistics of the style pictures.

        Args:
            layers: takes float (N, 3, H, W) on the scale 0 to 1; returns activations of layers, the shallowest first.
            style_images: uint8 (H, W, 3) each.
            device: of the network.
        """
        self._layers, self._device = layers, device
        stats_by_image = [
            self._compute_style_stats(uint8_to_float(torch.from_numpy(np.array(image[None])).to(device)))
            for image in style_images
        ]
        self._style_stats = [concat_stats(layer_stats) for layer_stats in zip(*stats_by_image, strict=True)]
        self.num_styles = len(stats_by_image)

    def __call__(self, pixels: Tensor, style_indices: Tensor, strength: Tensor) -> Tensor:
        """Return images in another style.

        Args:
            pixels: uint8 (N, H, W, 3).
            style_indices: int64 (N,), the style picture of each image.
            strength: float (N,), 0 (the image's own style) to 1 (the picture's).

        Returns:
            uint8 (N, H, W, 3), on the same device.
        """
        styled = torch.empty_like(pixels)
        for start in range(0, len(pixels), _BATCH_SIZE):
            rows = slice(start, start + _BATCH_SIZE)
            target_stats = [
                layer_stats.select(style_indices[rows].to(self._device)) for layer_stats in self._style_stats
            ]
            optimized = self._optimize_images(
                uint8_to_float(pixels[rows].to(self._device)), target_stats, strength[rows].float().to(self._device)
            )
            styled[rows] = float_to_uint8(optimized)
        return styled

    @torch.no_grad()
    def _compute_style_stats(self, images: Tensor) -> list[ChannelStats]:
        """Compute the statistics of the colours, then of each layer."""
        return [compute_channel_stats(values) for values in (images, *self._layers(images))]

    def _optimize_images(self, images: Tensor, style_stats: list[ChannelStats], strength: Tensor) -> Tensor:
        """Match the statistics of images (N, 3, H, W), interpolated to the style's by the strength (N,).

        Adam's steps are as long for a small loss as for a large one, so the strength shortens them, too.
        """
        color_stats, *layer_targets = [
            own_stats.lerp(style_layer, strength)
            for own_stats, style_layer in zip(self._compute_style_stats(images), style_stats, strict=True)
        ]
        with torch.no_grad():
            content = self._layers(images)[-1]
        weight = strength.clamp(min=_MIN_STRENGTH)[:, None, None, None]
        start = match_colors(images, color_stats)
        change = torch.zeros_like(start, requires_grad=True)
        optimizer = torch.optim.Adam([change], lr=_LR, betas=(0.9, 0.99))
        for _ in range(_STEPS):
            optimizer.zero_grad()
            stylized = start + weight * change
            _compute_loss(stylized, self._layers(stylized), layer_targets, content).backward()
            optimizer.step()
            with torch.no_grad():  # the image stays between 0 and 1
                change.clamp_(-start / weight, (1 - start) / weight)
        return (start + weight * change.detach()).clamp(0, 1)


def _compute_loss(images: Tensor, layers: list[Tensor], targets: list[ChannelStats], content: Tensor) -> Tensor:
    """Sum style, content and smoothness over the images, so that no image depends on the others."""
    style = sum(
        (compute_channel_stats(values).distance_to(target) for values, target in zip(layers, targets, strict=True)),
        torch.zeros(()),
    )
    content_error = (layers[-1] - content).square().mean((1, 2, 3)) / (
        content.square().mean((1, 2, 3)) + _CONTENT_EPSILON
    )
    roughness = images.diff(dim=2).square().mean((1, 2, 3)) + images.diff(dim=3).square().mean((1, 2, 3))
    return (style + _CONTENT_WEIGHT * content_error + _SMOOTHNESS_WEIGHT * roughness).sum()
