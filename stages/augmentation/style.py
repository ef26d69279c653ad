"""Which images of a batch get which look: drawn by key, done by a transfer that is handed in."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.augmentation.draw import keyed_generator
from stages.params.data import Style

Transfer = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class DrawnStyle:
    """The looks of N images; all tensors on the CPU.

    Attributes:
        styled: bool (N,).
        picture: int64 (N,), which style picture.
        strength: float64 (N,).
    """

    styled: Tensor
    picture: Tensor
    strength: Tensor


def draw_style(style: Style, images: int, pictures: int, seed: int, epoch: int, step: int) -> DrawnStyle:
    """Draw the looks of a batch from a stream of its own, so that a style changes no other step's draws.

    Args:
        style: of the policy.
        images, pictures: how many there are.
        seed, epoch, step: the key of the batch.
    """
    chances = torch.rand(images, 3, dtype=torch.float64, generator=keyed_generator(seed, epoch, step, "style"))
    chance, place, strength = chances.unbind(1)
    low, high = style.strength
    return DrawnStyle(chance < style.probability, (place * pictures).long(), low + strength * (high - low))


class Restyle:
    """A policy's style, for batches of stored pixels."""

    def __init__(self, style: Style, transfer: Transfer, pictures: int) -> None:
        """`transfer` takes pixels, the number of a style picture and a strength for each image."""
        self._style, self._transfer, self._pictures = style, transfer, pictures

    def __call__(self, pixels: Tensor, seed: int, epoch: int, step: int) -> Tensor:
        """uint8 (N, H, W, 3), of which some have another look; `pixels` is left unchanged."""
        drawn = draw_style(self._style, len(pixels), self._pictures, seed, epoch, step)
        rows = drawn.styled.nonzero().squeeze(1)
        if len(rows) == 0:
            return pixels
        restyled = pixels.clone()
        restyled[rows] = self._transfer(pixels[rows], drawn.picture[rows], drawn.strength[rows])
        return restyled
