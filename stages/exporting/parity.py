"""The proof that an exported file says what the model says, over a whole test set."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from stages.compute.device import Machine
from stages.compute.inference import outputs
from stages.compute.turns import turn_for
from stages.project.console import Refusal


def parity(
    reference: nn.Module,
    formats: Mapping[str, Callable[[], nn.Module]],
    inputs: np.ndarray,
    targets: np.ndarray,
    machine: Machine,
    bound: float,
) -> dict[str, Any]:
    """Run every format over the test set and compare its logits with the fp32 eager model's.

    Args:
        reference: the eager model on the CPU, stored inputs to logits; it is moved to the machine's device.
        formats: by file name, what loads it as a module that takes the same.
        inputs: the test set's, as stored: images uint8 (N, H, W, C), or symbols (N, T), or a text (N,).
        targets: int64 (N,).
        machine: with precision fp32.
        bound: the largest difference of a logit; a prediction may differ only where the reference's two largest
            logits are nearer to each other than this.

    Returns:
        What parity.json says: the reference's accuracy and, for each format, its own, its largest gap and the
        number of predictions that differ.

    Raises:
        Refusal: names the format, the gap and the index of the image.
    """

    def logits(network: nn.Module, what: str) -> np.ndarray:
        # on CUDA torch lets convolutions multiply in TF32, which has 10 of fp32's 23 bits
        with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
            return outputs(network.to(machine.device), inputs, machine, what=what).numpy()

    with turn_for(reference, machine):
        expected = logits(reference, "reference")
        if not np.isfinite(expected).all():
            raise Refusal("the model gives scores that are not finite; train it with a lower lr")
        found = {name: compare(name, logits(load(), name), expected, targets, bound) for name, load in formats.items()}
    return {
        "images": len(inputs),
        "device": machine.device.type,
        "max_logit_gap_allowed": bound,
        "reference": {"accuracy": accuracy(expected, targets)},
        "formats": found,
    }


def compare(format: str, found: np.ndarray, expected: np.ndarray, targets: np.ndarray, bound: float) -> dict[str, Any]:
    """Accuracy, largest logit gap and number of other predictions of a format; see `parity`."""
    gaps = np.abs(found - expected).max(axis=1)
    worst = int(np.argmax(gaps))  # NaN counts as the largest
    if not gaps[worst] <= bound:
        raise Refusal(
            f"{format}: a logit of test image {worst} is {gaps[worst]:.3g} away from the fp32 eager model's; "
            f"allowed by export.max_logit_gap: {bound:g}"
        )
    other = np.flatnonzero(found.argmax(axis=1) != expected.argmax(axis=1))
    margins = np.diff(np.sort(expected, axis=1)[:, -2:], axis=1)[:, 0]
    if wrong := [int(index) for index in other if margins[index] >= bound]:
        raise Refusal(
            f"{format}: test image {wrong[0]} gets another class than from the fp32 eager model, whose two "
            f"largest logits are {margins[wrong[0]]:.3g} apart; a tie is nearer than export.max_logit_gap: {bound:g}"
        )
    return {
        "accuracy": accuracy(found, targets),
        "max_logit_gap": float(gaps[worst]),
        "other_predictions": len(other),
    }


def accuracy(logits: np.ndarray, targets: np.ndarray) -> float:
    """The share of rows whose largest logit is the target's."""
    return float((logits.argmax(axis=1) == targets).mean())
