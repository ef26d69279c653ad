"""Augmented copies of images, as pixels to be stored."""

from collections.abc import Iterator

import numpy as np
import torch

from stages.augmentation.policy import Policy
from stages.augmentation.style import Restyle

_BATCH = 256


def views(
    policy: Policy, images: np.ndarray, seed: int, count: int, restyle: Restyle | None = None
) -> Iterator[np.ndarray]:
    """Yield batches of all images `count` times over, one pass after the other.

    Pass v, from 1, is augmented as a training epoch v would be, in stored order and batches of 256.

    Args:
        policy: what is done to them.
        images: uint8 (N, H, W, C), also memory-mapped.
        seed: `seed` of params.yaml.
        count: of passes.
        restyle: the policy's style, which comes before its other steps.

    Yields:
        uint8 (n, H, W, C), rounded to the nearest of the 256 values.
    """
    for epoch in range(1, count + 1):
        for step, start in enumerate(range(0, len(images), _BATCH)):
            pixels = torch.from_numpy(np.array(images[start : start + _BATCH]))
            if restyle:
                pixels = restyle(pixels, seed, epoch, step)
            unit = policy.apply(pixels, start + torch.arange(len(pixels)), seed, epoch, step)
            yield (unit * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
