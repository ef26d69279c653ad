"""The proof that an exported file says what the model says, over a whole test set."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.runtime.device import Runtime, cpu_slot_for
from vision_pipeline.runtime.inference import predict_logits


def check_parity(
    reference: nn.Module,
    formats: Mapping[str, Callable[[], nn.Module]],
    inputs: np.ndarray,
    targets: np.ndarray,
    runtime: Runtime,
    bound: float,
) -> dict[str, Any]:
    """Run every format over the test set and compare its logits with the fp32 eager model's.

    Args:
        reference: the eager model on the CPU, stored inputs to logits; it is moved to the machine's device.
        formats: by file name, what loads it as a module that takes the same.
        inputs: the test set's, as stored: images uint8 (N, H, W, C), or symbols (N, T), or a text (N,).
        targets: int64 (N,).
        runtime: with precision fp32.
        bound: the largest difference of a logit; a prediction may differ only where the reference's two largest
            logits are nearer to each other than this.

    Returns:
        What parity.json says: the reference's accuracy and, for each format, its own, its largest gap and the
        number of predictions that differ.

    Raises:
        ArtifactError: names the format, the gap and the index of the image.
    """

    def predict(network: nn.Module, label: str) -> np.ndarray:
        # on CUDA torch lets convolutions multiply in TF32, which has 10 of fp32's 23 bits
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return predict_logits(network.to(runtime.device), inputs, runtime, description=label).numpy()

    with cpu_slot_for(reference, runtime):
        reference_logits = predict(reference, "reference")
        if not np.isfinite(reference_logits).all():
            raise ArtifactError("the model gives scores that are not finite; train it with a lower lr")
        comparisons = {
            name: compare_logits(name, predict(load(), name), reference_logits, targets, bound)
            for name, load in formats.items()
        }
    return {
        "images": len(inputs),
        "device": runtime.device.type,
        "max_logit_gap_allowed": bound,
        "reference": {"accuracy": compute_accuracy(reference_logits, targets)},
        "formats": comparisons,
    }


def compare_logits(
    format_name: str, logits: np.ndarray, reference_logits: np.ndarray, targets: np.ndarray, bound: float
) -> dict[str, Any]:
    """Accuracy, largest logit gap and number of other predictions of a format; see `parity`."""
    gaps = np.abs(logits - reference_logits).max(axis=1)
    worst = int(np.argmax(gaps))  # NaN counts as the largest
    if not gaps[worst] <= bound:
        raise ArtifactError(
            f"{format_name}: a logit of test image {worst} is {gaps[worst]:.3g} away from the fp32 eager model's; "
            f"allowed by export.max_logit_gap: {bound:g}"
        )
    differing = np.flatnonzero(logits.argmax(axis=1) != reference_logits.argmax(axis=1))
    margins = np.diff(np.sort(reference_logits, axis=1)[:, -2:], axis=1)[:, 0]
    if violations := [int(index) for index in differing if margins[index] >= bound]:
        raise ArtifactError(
            f"{format_name}: test image {violations[0]} gets another class than from the fp32 eager model, whose two "
            f"largest logits are {margins[violations[0]]:.3g} apart; a tie is nearer than export.max_logit_gap: {bound:g}"
        )
    return {
        "accuracy": compute_accuracy(logits, targets),
        "max_logit_gap": float(gaps[worst]),
        "other_predictions": len(differing),
    }


def compute_accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """The share of rows whose largest logit is the target's."""
    return float((logits.argmax(axis=1) == targets).mean())
