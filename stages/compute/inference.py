"""A network over many inputs, batch by batch, with nothing left changed."""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor, nn

from stages.compute.device import Machine
from stages.compute.tokens import in_streams
from stages.project.console import bar

_PIXELS_AT_ONCE = 16 * 224 * 224
_PIXELS_ON_A_CPU = 8 * 224 * 224
_MOST_ROWS = 1000
STREAMS_AT_ONCE = 16  # of a text, each of 1,000 symbols or more


@contextmanager
def evaluating(network: nn.Module) -> Iterator[nn.Module]:
    """Evaluation mode inside the block; every module is left in the mode it was found in."""
    modes = [(module, module.training) for module in network.modules()]
    network.eval()
    try:
        yield network
    finally:
        for module, mode in modes:
            module.training = mode


def outputs(
    network: nn.Module, inputs: np.ndarray, machine: Machine, batch_size: int | None = None, what: str | None = None
) -> Tensor:
    """The network's outputs for all `inputs`, float32 on the CPU, in order.

    Args:
        network: on `machine.device`; takes what `inputs` holds (uint8 images, float features or symbols).
        inputs: (N, ...), also memory-mapped; or a text, whole numbers (L,), which is read as `in_streams` has it.
        machine: device and precision of the forward pass.
        batch_size: rows at a time; by default as many as `rows_at_once`.
        what: a title shows a progress bar.
    """
    if len(inputs) == 0:
        raise ValueError("no inputs")
    if inputs.ndim == 1:
        logits = outputs(network, in_streams(inputs), machine, STREAMS_AT_ONCE, what)
        return logits.flatten(0, 1)[: len(inputs)]
    rows = batch_size or rows_at_once(list(inputs.shape[1:]), machine.device)
    with evaluating(network), torch.inference_mode(), machine.autocast():
        batches = [network(batch).float().cpu() for batch in _batches(inputs, machine, rows, what)]
    return torch.cat(batches)


def rows_at_once(shape: list[int], device: torch.device) -> int:
    """Inputs of a shape ([height, width, channels] or [dimensions]) that one forward pass takes at a time.

    Bounded by pixels: the activations of large images need much memory, and on a CPU small batches are the
    fastest, since they stay in its caches (measured, half as many as elsewhere: 12 to 55 % sooner in fp32 for
    DenseNet121 and Lite0 at 224 px, SpeedNet at 32 and a CNN at 28, with the same bits).
    """
    pixels = math.prod(shape[:2]) if len(shape) == 3 else 1
    most = _PIXELS_ON_A_CPU if device.type == "cpu" else _PIXELS_AT_ONCE
    return max(1, min(_MOST_ROWS, most // pixels))


def _batches(inputs: np.ndarray, machine: Machine, size: int, what: str | None) -> Iterator[Tensor]:
    shown = bar(len(inputs), what) if what else None
    for start in range(0, len(inputs), size):
        rows = np.ascontiguousarray(inputs[start : start + size])
        if not rows.flags.writeable:  # torch warns of read-only memory
            rows = rows.copy()
        yield torch.from_numpy(rows).to(machine.device)
        if shown is not None:
            shown.update(len(rows))
    if shown is not None:
        shown.close()
