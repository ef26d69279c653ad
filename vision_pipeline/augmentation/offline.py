"""Which images of a batch get which look: drawn by key, done by a transfer that is handed in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.sampling import augmentation_generator
from vision_pipeline.config.data import StyleConfig

StyleTransferFn = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class StyleParams:
    """The looks of N images; all tensors on the CPU.

    Attributes:
        styled: bool (N,).
        picture: int64 (N,), which style picture.
        strength: float64 (N,).
    """

    styled: Tensor
    picture: Tensor
    strength: Tensor


def sample_style(
    style: StyleConfig, num_images: int, num_pictures: int, seed: int, epoch: int, step: int
) -> StyleParams:
    """Draw the looks of a batch from a stream of its own, so that a style changes no other step's draws.

    Args:
        style: of the policy.
        num_images, num_pictures: how many there are.
        seed, epoch, step: the key of the batch.
    """
    uniform = torch.rand(
        num_images, 3, dtype=torch.float64, generator=augmentation_generator(seed, epoch, step, "style")
    )
    chance, picture_uniform, strength = uniform.unbind(1)
    low, high = style.strength
    return StyleParams(
        chance < style.probability, (picture_uniform * num_pictures).long(), low + strength * (high - low)
    )


class StyleAugmentation:
    """A policy's style, for batches of stored pixels."""

    def __init__(self, style: StyleConfig, transfer: StyleTransferFn, num_pictures: int) -> None:
        """`transfer` takes pixels, the number of a style picture and a strength for each image."""
        self._style, self._transfer, self._num_pictures = style, transfer, num_pictures

    def __call__(self, pixels: Tensor, seed: int, epoch: int, step: int) -> Tensor:
        """uint8 (N, H, W, 3), of which some have another look; `pixels` is left unchanged."""
        params = sample_style(self._style, len(pixels), self._num_pictures, seed, epoch, step)
        rows = params.styled.nonzero().squeeze(1)
        if len(rows) == 0:
            return pixels
        restyled = pixels.clone()
        restyled[rows] = self._transfer(pixels[rows], params.picture[rows], params.strength[rows])
        return restyled


# MERGED Augmented copies of images, as pixels to be stored.
_BATCH_SIZE = 256


def iter_augmented(
    policy: AugmentationPolicy,
    images: np.ndarray,
    seed: int,
    num_passes: int,
    style_augmentation: StyleAugmentation | None = None,
) -> Iterator[np.ndarray]:
    """Yield batches of all images `num_passes` times over, one pass after the other.

    Pass v, from 1, is augmented as a training epoch v would be, in stored order and batches of 256.

    Args:
        policy: what is done to them.
        images: uint8 (N, H, W, C), also memory-mapped.
        seed: `seed` of params.yaml.
        num_passes: of passes.
        style_augmentation: the policy's style, which comes before its other steps.

    Yields:
        uint8 (n, H, W, C), rounded to the nearest of the 256 values.
    """
    for epoch in range(1, num_passes + 1):
        for step, start in enumerate(range(0, len(images), _BATCH_SIZE)):
            pixels = torch.from_numpy(np.array(images[start : start + _BATCH_SIZE]))
            if style_augmentation:
                pixels = style_augmentation(pixels, seed, epoch, step)
            float_images = policy.apply(pixels, start + torch.arange(len(pixels)), seed, epoch, step)
            yield (float_images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
