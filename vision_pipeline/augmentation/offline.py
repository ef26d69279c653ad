"""Augmented copies of images, as pixels to be stored, and style transfer, which only stored copies get."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.config.data import StyleConfig
from vision_pipeline.runtime.preprocessing import float_to_uint8
from vision_pipeline.runtime.seeding import augmentation_generator

_BATCH_SIZE = 256

StyleTransferFn = Callable[[Tensor, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class StyleParams:
    """The style parameters of N images; all tensors are on the CPU.

    Attributes:
        styled: bool (N,), True for images that get another style.
        picture: int64 (N,), the index of the style picture.
        strength: float64 (N,).
    """

    styled: Tensor
    picture: Tensor
    strength: Tensor


def sample_style(
    style: StyleConfig, num_images: int, num_pictures: int, *, seed: int, epoch: int, step: int
) -> StyleParams:
    """Draw the style parameters of a batch from their own stream, so that they change no other step's draws.

    Args:
        style: of the policy.
        num_images: of the batch.
        num_pictures: style pictures to choose from.
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
    """A policy's style for batches of stored pixels."""

    def __init__(self, style: StyleConfig, transfer: StyleTransferFn, num_pictures: int) -> None:
        """Take the function that does the transfer.

        Args:
            style: of the policy.
            transfer: takes uint8 pixels (N, H, W, 3), int64 (N,) indices of style pictures and float (N,) strengths;
                returns the pixels of the styled images.
            num_pictures: style pictures to choose from.
        """
        self._style, self._transfer, self._num_pictures = style, transfer, num_pictures

    def __call__(self, pixels: Tensor, *, seed: int, epoch: int, step: int) -> Tensor:
        """Return uint8 (N, H, W, 3) in which some images have another style; `pixels` is not changed."""
        params = sample_style(self._style, len(pixels), self._num_pictures, seed=seed, epoch=epoch, step=step)
        rows = params.styled.nonzero().squeeze(1)
        if len(rows) == 0:
            return pixels
        restyled = pixels.clone()
        restyled[rows] = self._transfer(pixels[rows], params.picture[rows], params.strength[rows])
        return restyled


def iter_augmented(
    policy: AugmentationPolicy,
    images: np.ndarray,
    *,
    seed: int,
    num_passes: int,
    style_augmentation: StyleAugmentation | None = None,
) -> Iterator[np.ndarray]:
    """Yield batches of all images `num_passes` times, one pass after the other.

    Pass v, from 1, is augmented as a training epoch v would be, in stored order and batches of 256.

    Args:
        policy: to apply.
        images: uint8 (N, H, W, C), also memory-mapped.
        seed: `seed` of params.yaml.
        num_passes: the number of copies of each image.
        style_augmentation: the policy's style, which comes before its other steps.

    Yields:
        uint8 (n, H, W, C), rounded to the nearest of the 256 values.
    """
    for epoch in range(1, num_passes + 1):
        for step, start in enumerate(range(0, len(images), _BATCH_SIZE)):
            pixels = torch.from_numpy(np.array(images[start : start + _BATCH_SIZE]))
            if style_augmentation:
                pixels = style_augmentation(pixels, seed=seed, epoch=epoch, step=step)
            indices = start + torch.arange(len(pixels))
            yield float_to_uint8(policy.apply(pixels, indices, seed=seed, epoch=epoch, step=step)).numpy()
