"""What a look is to a network: the mean and the deviation of each channel of its shallow layers.

Source: Huang & Belongie, Arbitrary Style Transfer in Real-time with Adaptive Instance Normalization,
arXiv 1703.06868; that these statistics of batch norm carry style: Li et al., arXiv 1701.01036.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_SMALLEST = 1e-3  # of a deviation: a flat channel has none, and nothing may be divided by it


@dataclass(frozen=True)
class Moments:
    """Of N images in one layer (or in their colours): float32 (N, C) each."""

    mean: Tensor
    std: Tensor

    def of(self, rows: Tensor | slice) -> "Moments":
        """Those of some of the images."""
        return Moments(self.mean[rows], self.std[rows])

    def towards(self, other: "Moments", share: Tensor) -> "Moments":
        """These at a `share` (N,) of 0, the other's at 1, in between linearly."""
        return Moments(
            torch.lerp(self.mean, other.mean, share[:, None]), torch.lerp(self.std, other.std, share[:, None])
        )

    def distance(self, other: "Moments") -> Tensor:
        """Mean square of the differences to `other`, in units of the other's mean variance: (N,)."""
        apart = (self.mean - other.mean).square() + (self.std - other.std).square()
        return apart.mean(1) / (other.std.square().mean(1) + _SMALLEST)


def moments(values: Tensor) -> Moments:
    """Over the places of float (N, C, H, W)."""
    variance, mean = torch.var_mean(values, (2, 3), correction=0)
    return Moments(mean, (variance + _SMALLEST**2).sqrt())


def together(parts: Sequence[Moments]) -> Moments:
    """Those of several batches as of one."""
    return Moments(torch.cat([part.mean for part in parts]), torch.cat([part.std for part in parts]))


def recoloured(unit: Tensor, wanted: Moments) -> Tensor:
    """Images (N, C, H, W) on the scale 0 to 1 whose channels have the moments `wanted`, but for what is clamped."""
    own = moments(unit)
    scale = wanted.std / own.std
    return (unit * scale[:, :, None, None] + (wanted.mean - own.mean * scale)[:, :, None, None]).clamp(0, 1)
