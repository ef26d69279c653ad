"""The loss of a batch, whose inputs are each of one class, or mixed of two."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from vision_pipeline.runtime.device import to_device_async
from vision_pipeline.runtime.seeding import derive_torch_seed


@dataclass(frozen=True)
class MixedTargets:
    """What N scores ought to say.

    Attributes:
        targets: int64 (N,), the class of each input.
        targets_b: int64 (N,), the class of what is mixed in; None where nothing is.
        lam: float32 (N,), 0 to 1: how much of a mixed input is of its own class.
    """

    targets: Tensor
    targets_b: Tensor | None = None
    lam: Tensor | None = None

    def select(self, rows: slice) -> "MixedTargets":
        """That of some of the inputs."""
        if self.targets_b is None or self.lam is None:
            return MixedTargets(self.targets[rows])
        return MixedTargets(self.targets[rows], self.targets_b[rows], self.lam[rows])

    def normalizer(self, class_weights: Tensor | None) -> Tensor | int:
        """What the mean loss divides by: the number of inputs, or the sum of their classes' weights."""
        if class_weights is None:
            return len(self.targets)
        if self.targets_b is None or self.lam is None:
            return class_weights[self.targets].sum()
        return (self.lam * class_weights[self.targets] + (1 - self.lam) * class_weights[self.targets_b]).sum()


def cross_entropy_loss(
    logits: Tensor, mixed_targets: MixedTargets, class_weights: Tensor | None, label_smoothing: float
) -> Tensor:
    """Cross-entropy with the classes of both parts of an input, by their shares; with class weights the weighted mean.

    Args:
        logits: float32 (N, classes).
        mixed_targets: of the N inputs.
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


# MERGED Mixup and CutMix: every input of a batch blended with, or partly covered by, another of the same batch.
# MERGED
# MERGED Sources: Zhang et al., mixup, arXiv 1710.09412; Yun et al., CutMix, arXiv 1905.04899.
def mixup_cutmix(
    inputs: Tensor, targets: Tensor, mixup: float, cutmix: float, *key: int
) -> tuple[Tensor, MixedTargets]:
    """A batch mixed with itself; where both kinds are asked for, a fair coin decides for the batch.

    Args:
        inputs: float (N, ...); for CutMix (N, C, H, W).
        targets: int64 (N,).
        mixup, cutmix: the alpha of the distribution Beta(alpha, alpha) that shares are drawn from; 0: not this kind.
        key: of the draws: seed, epoch, step.
    """
    rng = np.random.default_rng(derive_torch_seed("mix", *key))
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
    """A rectangle of `1 - share` of the area, cut off at the edges, shows the partner; and the share that is left."""
    height, width = inputs.shape[2:]
    rows = _mask_spans(height, centre[0] * height, height * np.sqrt(1 - lam))
    columns = _mask_spans(width, centre[1] * width, width * np.sqrt(1 - lam))
    mask = to_device_async(torch.from_numpy(rows[:, None, :, None] & columns[:, None, None, :]), inputs.device)
    return torch.where(mask, inputs[partners], inputs), 1 - rows.mean(1) * columns.mean(1)


def _mask_spans(size: int, centre: np.ndarray, length: np.ndarray) -> np.ndarray:
    """bool (N, size): which places along an axis lie in each span."""
    positions = np.arange(size)
    return (positions >= (centre - length / 2).round()[:, None]) & (positions < (centre + length / 2).round()[:, None])
