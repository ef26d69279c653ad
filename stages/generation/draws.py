"""All that is random in a GAN's training and in the making of images: keyed, so that it can go on from any step."""

from dataclasses import dataclass

import torch
from torch import Tensor

from stages.compute.keyed import generator
from stages.generation.diffaugment import Changes, draw_changes


@dataclass(frozen=True)
class Draws:
    """Of one step, on the CPU.

    Attributes:
        rows: int64 (N,), of the real images.
        noise: float32 (N, latent), standard normal.
        changes: of 2 N images, first of the real ones, then of those that are made.
    """

    rows: Tensor
    noise: Tensor
    changes: Changes


def draw(images: int, batch: int, latent: int, size: tuple[int, int], seed: int, step: int) -> Draws:
    """The draws of a step: `batch` of the `images` rows, each time anew, noise, and changes of images of `size`."""
    random = generator("gan", seed, "step", step)
    rows = torch.randint(images, (batch,), generator=random)
    noise = torch.randn(batch, latent, generator=random)
    return Draws(rows, noise, draw_changes(2 * batch, size, random))
