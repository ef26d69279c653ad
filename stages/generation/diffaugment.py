"""Random changes of all images that the discriminator sees, through which the generator's gradient flows.

With few images a discriminator learns them by heart; changed at random, real ones and made ones alike, they do not run
out. Source: Zhao et al., Differentiable Augmentation for Data-Efficient GAN Training, arXiv 2006.10738 (translation by
up to an eighth, and a hole of half the height and width; outside and inside the hole is 0, the middle of -1 to 1).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.compute.sending import sent

_FARTHEST, _HOLE = 1 / 8, 1 / 2  # of height and width


@dataclass(frozen=True)
class Changes:
    """What becomes of N images; pixels, int64 (N, 2), down and to the right.

    Attributes:
        shifts: of the image.
        holes: the middle of the hole.
    """

    shifts: Tensor
    holes: Tensor

    def last(self, count: int) -> "Changes":
        """Those of the last `count` images."""
        return Changes(self.shifts[-count:], self.holes[-count:])


def draw_changes(count: int, size: tuple[int, int], random: torch.Generator) -> Changes:
    """Changes of `count` images of a height and width, drawn evenly."""
    farthest = [int(length * _FARTHEST) for length in size]
    shifts = [torch.randint(-far, far + 1, (count,), generator=random) for far in farthest]
    holes = [torch.randint(length, (count,), generator=random) for length in size]
    return Changes(torch.stack(shifts, 1), torch.stack(holes, 1))


def changed(images: Tensor, changes: Changes) -> Tensor:
    """Shifted images (N, C, H, W) with a hole in each; the same shape and type."""
    height, width = images.shape[2:]
    shifts, holes = sent(changes.shifts, images.device), sent(changes.holes, images.device)
    # sums with one term: exact, and their gradient is as deterministic as a product of matrices
    down, right = _shift(height, shifts[:, 0]), _shift(width, shifts[:, 1])
    moved = down.to(images.dtype) @ images @ right.to(images.dtype).transpose(2, 3)
    hole = _span(height, holes[:, 0])[:, :, None] & _span(width, holes[:, 1])[:, None, :]
    return moved * ~hole[:, None]


def _shift(size: int, by: Tensor) -> Tensor:
    """bool (N, 1, size, size): which place each place's value comes from."""
    places = torch.arange(size, device=by.device)
    return (places[None, :, None] - by[:, None, None] == places[None, None, :])[:, None]


def _span(size: int, middle: Tensor) -> Tensor:
    """bool (N, size): the places along an axis that the hole takes."""
    places, half = torch.arange(size, device=middle.device), int(size * _HOLE) // 2
    return (places >= middle[:, None] - half) & (places < middle[:, None] + half)
