"""Mixup and CutMix: every input of a batch blended with, or partly covered by, another of the same batch.

Sources: Zhang et al., mixup, arXiv 1710.09412; Yun et al., CutMix, arXiv 1905.04899.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from stages.training.keyed import seed_for


@dataclass(frozen=True)
class Mixture:
    """What each of N inputs is a mixture of.

    Attributes:
        partners: int64 (N,), the place in the batch of what is mixed in.
        share: float32 (N,), 0 to 1: how much of the input is still its own.
    """

    partners: Tensor
    share: Tensor


def mix(inputs: Tensor, mixup: float, cutmix: float, *key: int) -> tuple[Tensor, Mixture]:
    """A batch mixed with itself; where both kinds are asked for, a fair coin decides for the batch.

    Args:
        inputs: float (N, ...); for CutMix (N, C, H, W).
        mixup, cutmix: the alpha of the distribution Beta(alpha, alpha) that shares are drawn from; 0: not this kind.
        key: of the draws: seed, epoch, step.
    """
    random = np.random.default_rng(seed_for("mix", *key))
    covers = cutmix > 0 and (mixup == 0 or random.random() < 0.5)
    alpha = cutmix if covers else mixup
    partners = torch.from_numpy(random.permutation(len(inputs))).to(inputs.device)
    share = random.beta(alpha, alpha, len(inputs))
    if covers:
        return _covered(inputs, partners, share, random.random((2, len(inputs))))
    own = _on(inputs, share)
    by_input = own.view(-1, *[1] * (inputs.ndim - 1))
    return inputs * by_input + inputs[partners] * (1 - by_input), Mixture(partners, own)


def _covered(inputs: Tensor, partners: Tensor, share: np.ndarray, centre: np.ndarray) -> tuple[Tensor, Mixture]:
    """A rectangle of `1 - share` of the area, cut off at the edges, shows the partner; the share is then counted."""
    height, width = inputs.shape[2:]
    rows = _within(height, centre[0] * height, height * np.sqrt(1 - share))
    columns = _within(width, centre[1] * width, width * np.sqrt(1 - share))
    covered = 1 - rows.mean(1) * columns.mean(1)
    mask = torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]).to(inputs.device)
    return torch.where(mask, inputs[partners], inputs), Mixture(partners, _on(inputs, covered))


def _within(size: int, centre: np.ndarray, length: np.ndarray) -> np.ndarray:
    """bool (N, size): which places along an axis lie in each span."""
    places = np.arange(size)
    return (places >= (centre - length / 2).round()[:, None]) & (places < (centre + length / 2).round()[:, None])


def _on(inputs: Tensor, share: np.ndarray) -> Tensor:
    return torch.from_numpy(share).float().to(inputs.device)


def mixed_loss(
    logits: Tensor, targets: Tensor, mixture: Mixture, class_weights: Tensor | None, label_smoothing: float
) -> Tensor:
    """Cross-entropy with the targets of both parts, by their shares; with class weights the weighted mean."""
    others, share = targets[mixture.partners], mixture.share
    losses = [
        cross_entropy(logits, part, weight=class_weights, label_smoothing=label_smoothing, reduction="none")
        for part in (targets, others)
    ]
    total = (share * losses[0] + (1 - share) * losses[1]).sum()
    if class_weights is None:
        return total / len(targets)
    return total / (share * class_weights[targets] + (1 - share) * class_weights[others]).sum()
