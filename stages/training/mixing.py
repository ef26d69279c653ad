"""Mixup and CutMix: every input of a batch blended with, or partly covered by, another of the same batch.

Sources: Zhang et al., mixup, arXiv 1710.09412; Yun et al., CutMix, arXiv 1905.04899.
"""

import numpy as np
import torch
from torch import Tensor

from stages.compute.keyed import seed_for
from stages.compute.sending import sent
from stages.training.loss import Goal


def mix(inputs: Tensor, targets: Tensor, mixup: float, cutmix: float, *key: int) -> tuple[Tensor, Goal]:
    """A batch mixed with itself; where both kinds are asked for, a fair coin decides for the batch.

    Args:
        inputs: float (N, ...); for CutMix (N, C, H, W).
        targets: int64 (N,).
        mixup, cutmix: the alpha of the distribution Beta(alpha, alpha) that shares are drawn from; 0: not this kind.
        key: of the draws: seed, epoch, step.
    """
    random = np.random.default_rng(seed_for("mix", *key))
    covers = cutmix > 0 and (mixup == 0 or random.random() < 0.5)
    alpha = cutmix if covers else mixup
    partners = sent(torch.from_numpy(random.permutation(len(inputs))), inputs.device)
    share = random.beta(alpha, alpha, len(inputs))
    if covers:
        inputs, share = _covered(inputs, partners, share, random.random((2, len(inputs))))
    own = sent(torch.from_numpy(share).float(), inputs.device)
    if not covers:
        by_input = own.view(-1, *[1] * (inputs.ndim - 1))
        inputs = inputs * by_input + inputs[partners] * (1 - by_input)
    return inputs, Goal(targets, targets[partners], own)


def _covered(inputs: Tensor, partners: Tensor, share: np.ndarray, centre: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """A rectangle of `1 - share` of the area, cut off at the edges, shows the partner; and the share that is left."""
    height, width = inputs.shape[2:]
    rows = _within(height, centre[0] * height, height * np.sqrt(1 - share))
    columns = _within(width, centre[1] * width, width * np.sqrt(1 - share))
    mask = sent(torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]), inputs.device)
    return torch.where(mask, inputs[partners], inputs), 1 - rows.mean(1) * columns.mean(1)


def _within(size: int, centre: np.ndarray, length: np.ndarray) -> np.ndarray:
    """bool (N, size): which places along an axis lie in each span."""
    places = np.arange(size)
    return (places >= (centre - length / 2).round()[:, None]) & (places < (centre + length / 2).round()[:, None])
