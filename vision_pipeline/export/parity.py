"""Parity: exported files predict what the trained model predicts, over the whole test set."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.logging import logger
from vision_pipeline.runtime.device import Runtime, cpu_slot_for
from vision_pipeline.runtime.inference import predict_logits


def check_parity(
    reference: nn.Module,
    formats: Mapping[str, Callable[[], nn.Module]],
    inputs: np.ndarray,
    targets: np.ndarray,
    *,
    runtime: Runtime,
    max_logit_gap: float,
) -> dict[str, Any]:
    """Run every format over the test set and compare its logits with those of the fp32 eager model.

    Args:
        reference: the eager model on the CPU, from stored inputs to logits; it is moved to the runtime's device.
        formats: functions that load a format as a module from stored inputs to logits, by file name.
        inputs: stored inputs of the test set: images uint8 (N, H, W, C), or tokens (N, T), or a text (N,).
        targets: int64 (N,), true class indices.
        runtime: device and threads, with precision fp32.
        max_logit_gap: largest allowed difference of a logit. A prediction may differ only if the two largest logits of
            the reference differ by less.

    Returns:
        The content of parity.json: the accuracy of the reference, and for each format its accuracy, its largest gap
        and the number of different predictions.

    Raises:
        ArtifactError: a format differs by more, or the reference's logits are not finite; the message names the
            format, the gap and the index of the image.
    """

    with cpu_slot_for(reference, runtime):
        reference_logits = _predict_fp32(reference, inputs, runtime, "reference")
        if not np.isfinite(reference_logits).all():
            raise ArtifactError("the model gives scores that are not finite; train it with a lower lr")
        comparisons = {
            name: compare_logits(
                name,
                _predict_fp32(load(), inputs, runtime, name),
                reference_logits=reference_logits,
                targets=targets,
                max_logit_gap=max_logit_gap,
            )
            for name, load in formats.items()
        }
    return {
        "images": len(inputs),
        "device": runtime.device.type,
        "max_logit_gap_allowed": max_logit_gap,
        "reference": {"accuracy": compute_accuracy(reference_logits, targets)},
        "formats": comparisons,
    }


def _predict_fp32(network: nn.Module, inputs: np.ndarray, runtime: Runtime, label: str) -> np.ndarray:
    """Return the logits; by default, convolutions on CUDA multiply in TF32, which has 10 of fp32's 23 bits."""
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        return predict_logits(network.to(runtime.device), inputs, runtime, description=label).numpy()


def compare_logits(
    format_name: str, logits: np.ndarray, *, reference_logits: np.ndarray, targets: np.ndarray, max_logit_gap: float
) -> dict[str, Any]:
    """Return accuracy, largest logit gap and number of other predictions of a format (see `check_parity`).

    Raises:
        ArtifactError: a logit differs by more than `max_logit_gap`, or a prediction differs without a tie.
    """
    gaps = np.abs(logits - reference_logits).max(axis=1)
    worst = int(np.argmax(gaps))  # NaN counts as the largest
    if not gaps[worst] <= max_logit_gap:
        raise ArtifactError(
            f"{format_name}: a logit of test image {worst} is {gaps[worst]:.3g} away from the fp32 eager model's; "
            f"allowed by export.max_logit_gap: {max_logit_gap:g}"
        )
    logger.debug(f"{format_name}: largest gap of a logit {gaps[worst]:.3g}")
    differing = np.flatnonzero(logits.argmax(axis=1) != reference_logits.argmax(axis=1))
    margins = np.diff(np.sort(reference_logits, axis=1)[:, -2:], axis=1)[:, 0]
    if violations := [int(index) for index in differing if margins[index] >= max_logit_gap]:
        raise ArtifactError(
            f"{format_name}: test image {violations[0]} gets another class than from the fp32 eager model, whose two "
            f"largest logits are {margins[violations[0]]:.3g} apart; a tie is nearer than "
            f"export.max_logit_gap: {max_logit_gap:g}"
        )
    return {
        "accuracy": compute_accuracy(logits, targets),
        "max_logit_gap": float(gaps[worst]),
        "other_predictions": len(differing),
    }


def compute_accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """Return the share of rows whose largest logit is that of the target, 0 to 1."""
    return float((logits.argmax(axis=1) == targets).mean())
