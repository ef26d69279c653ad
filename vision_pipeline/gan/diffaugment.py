"""Random augmentation of all images that the discriminator sees, through which the generator's gradient flows.

A discriminator memorises a small training set; augmenting real and fake images alike prevents it. Source: Zhao et al.,
Differentiable Augmentation for Data-Efficient GAN Training, arXiv 2006.10738 (translation by up to an eighth, and a
hole of half the height and width; outside the image and inside the hole is 0, the middle of -1 to 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from vision_pipeline.runtime.device import to_device_async

_MAX_SHIFT, _HOLE_SIZE = 1 / 8, 1 / 2  # shares of height and width


@dataclass(frozen=True)
class DiffAugParams:
    """The augmentation of N images, in pixels.

    Attributes:
        shifts: int64 (N, 2), the shift of each image down and to the right.
        hole_centers: int64 (N, 2), row and column of the hole's centre.
    """

    shifts: Tensor
    hole_centers: Tensor

    def last(self, count: int) -> "DiffAugParams":
        """Return the parameters of the last `count` images."""
        return DiffAugParams(self.shifts[-count:], self.hole_centers[-count:])


def sample_diffaug(count: int, size: tuple[int, int], generator: torch.Generator) -> DiffAugParams:
    """Return parameters for `count` images of `size` (height, width), drawn uniformly."""
    max_shifts = [int(length * _MAX_SHIFT) for length in size]
    shifts = [torch.randint(-max_shift, max_shift + 1, (count,), generator=generator) for max_shift in max_shifts]
    hole_centers = [torch.randint(length, (count,), generator=generator) for length in size]
    return DiffAugParams(torch.stack(shifts, 1), torch.stack(hole_centers, 1))


def apply_diffaug(images: Tensor, params: DiffAugParams) -> Tensor:
    """Return images (N, C, H, W) shifted and with a hole in each, in the same shape and dtype."""
    height, width = images.shape[2:]
    shifts, hole_centers = (
        to_device_async(params.shifts, images.device),
        to_device_async(params.hole_centers, images.device),
    )
    # sums with one term: exact, and their gradient is as deterministic as a product of matrices
    row_shift, column_shift = _make_shift_matrices(height, shifts[:, 0]), _make_shift_matrices(width, shifts[:, 1])
    shifted = row_shift.to(images.dtype) @ images @ column_shift.to(images.dtype).transpose(2, 3)
    hole = (
        _make_span_mask(height, hole_centers[:, 0])[:, :, None] & _make_span_mask(width, hole_centers[:, 1])[:, None, :]
    )
    return shifted * ~hole[:, None]


def _make_shift_matrices(size: int, shifts: Tensor) -> Tensor:
    """Return bool (N, 1, size, size), true where the column is the source position of the row's position."""
    indices = torch.arange(size, device=shifts.device)
    return (indices[None, :, None] - shifts[:, None, None] == indices[None, None, :])[:, None]


def _make_span_mask(size: int, centers: Tensor) -> Tensor:
    """Return bool (N, size), true at the positions along an axis that the hole covers."""
    indices, half = torch.arange(size, device=centers.device), int(size * _HOLE_SIZE) // 2
    return (indices >= centers[:, None] - half) & (indices < centers[:, None] + half)
