"""The loss of a batch, and Mixup and CutMix, which blend every input with another of the same batch or paste it in.

Sources: Zhang et al., mixup, arXiv 1710.09412; Yun et al., CutMix, arXiv 1905.04899.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from vision_pipeline.runtime.device import to_device_async
from vision_pipeline.runtime.seeding import derive_torch_seed


@dataclass(frozen=True)
class MixedTargets:
    """The targets of N inputs, each of one class or mixed of two.

    Attributes:
        targets: int64 (N,), the class of each input.
        targets_b: int64 (N,), the class of the input that is mixed in; None where nothing is.
        lam: float32 (N,), 0 to 1: the share of a mixed input that is of its own class.
    """

    targets: Tensor
    targets_b: Tensor | None = None
    lam: Tensor | None = None

    def select(self, rows: slice) -> "MixedTargets":
        """Return the targets of some of the inputs."""
        if self.targets_b is None or self.lam is None:
            return MixedTargets(self.targets[rows])
        return MixedTargets(self.targets[rows], self.targets_b[rows], self.lam[rows])

    def normalizer(self, class_weights: Tensor | None) -> Tensor | int:
        """Return the divisor of the mean loss: the number of inputs, or the sum of their classes' weights."""
        if class_weights is None:
            return len(self.targets)
        if self.targets_b is None or self.lam is None:
            return class_weights[self.targets].sum()
        return (self.lam * class_weights[self.targets] + (1 - self.lam) * class_weights[self.targets_b]).sum()


def cross_entropy_loss(
    logits: Tensor, mixed_targets: MixedTargets, class_weights: Tensor | None, label_smoothing: float
) -> Tensor:
    """Return the mean cross-entropy, float32 (), weighted by the classes' weights and by the shares of mixed inputs.

    Args:
        logits: float32 (N, classes).
        mixed_targets: targets of the N inputs.
        class_weights: float32 (classes,), or None.
        label_smoothing: share of a target that is spread over all classes.
    """
    if mixed_targets.targets_b is None or mixed_targets.lam is None:
        return cross_entropy(logits, mixed_targets.targets, weight=class_weights, label_smoothing=label_smoothing)
    loss_a, loss_b = (
        cross_entropy(logits, class_ids, weight=class_weights, label_smoothing=label_smoothing, reduction="none")
        for class_ids in (mixed_targets.targets, mixed_targets.targets_b)
    )
    return (mixed_targets.lam * loss_a + (1 - mixed_targets.lam) * loss_b).sum() / mixed_targets.normalizer(
        class_weights
    )


def mixup_cutmix(
    inputs: Tensor, targets: Tensor, *, mixup: float, cutmix: float, rng_key: tuple[int, int, int]
) -> tuple[Tensor, MixedTargets]:
    """Return a batch mixed with itself, and its targets; where both kinds are on, a fair coin decides for the batch.

    Args:
        inputs: float (N, ...); for CutMix (N, C, H, W).
        targets: int64 (N,).
        mixup, cutmix: the alpha of the distribution Beta(alpha, alpha) that shares are drawn from; 0 turns a kind off.
        rng_key: seed, epoch and step, which all random numbers are derived from.
    """
    rng = np.random.default_rng(derive_torch_seed("mix", *rng_key))
    use_cutmix = cutmix > 0 and (mixup == 0 or rng.random() < 0.5)
    alpha = cutmix if use_cutmix else mixup
    partners = to_device_async(torch.from_numpy(rng.permutation(len(inputs))), inputs.device)
    lam = rng.beta(alpha, alpha, len(inputs))
    if use_cutmix:
        inputs, lam = _paste(inputs, partners, lam, rng.random((2, len(inputs))))
    lam_tensor = to_device_async(torch.from_numpy(lam).float(), inputs.device)
    if not use_cutmix:
        lam_per_input = lam_tensor.view(-1, *[1] * (inputs.ndim - 1))
        inputs = inputs * lam_per_input + inputs[partners] * (1 - lam_per_input)
    return inputs, MixedTargets(targets, targets[partners], lam_tensor)


def _paste(inputs: Tensor, partners: Tensor, lam: np.ndarray, centre: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """Return the inputs, in which a rectangle of `1 - lam` of the area shows the partner, and the share that is left.

    A rectangle is cut off at the edges, which makes that share larger than `lam`.
    """
    height, width = inputs.shape[2:]
    rows = _mask_spans(height, centre[0] * height, height * np.sqrt(1 - lam))
    columns = _mask_spans(width, centre[1] * width, width * np.sqrt(1 - lam))
    mask = to_device_async(torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]), inputs.device)
    return torch.where(mask, inputs[partners], inputs), 1 - rows.mean(1) * columns.mean(1)


def _mask_spans(size: int, centre: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Return bool (N, size): the positions along an axis that are in each span."""
    positions = np.arange(size)
    return (positions >= (centre - length / 2).round()[:, None]) & (positions < (centre + length / 2).round()[:, None])
