"""A text on the device: for training in parallel streams, a few steps at a time; for validation as a whole.

A stream is a piece of the text. From one batch to the next each goes on where it was, so that a network can carry its
state over while the gradient goes back no further than the batch (truncated back-propagation through time).

Source: Williams and Peng, An efficient gradient-based algorithm for on-line training of recurrent network
trajectories, Neural Computation 2 (1990).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from stages.compute.inference import STREAMS_AT_ONCE
from stages.compute.tokens import in_streams
from stages.datasets.format import PreparedSet
from stages.datasets.synthetic import Material
from stages.params.models import AnyModel, Recurrent
from stages.params.training import Train
from stages.project.console import Refusal
from stages.training.batches import Batch, Rows

_NONE = -100  # the target that cross-entropy leaves out


def train_and_val(
    name: str, data: PreparedSet, learnt: Material, model: AnyModel, device: torch.device
) -> tuple["Rows | Streams", "Rows | Passage"]:
    """What the model `name` is trained on, and the split that it is validated with.

    Raises:
        Refusal: the training text is shorter than a batch.
    """
    train, val = (learnt.inputs, learnt.targets), (data.inputs("val"), data.targets("val"))
    if data.about.kind != "text" or not isinstance(model, Recurrent) or not isinstance(model.train, Train):
        return Rows(*train, device), Rows(*val, device)
    if len(train[0]) < model.train.batch_size * model.steps:
        key = f"models.{name}"
        raise Refusal(
            f"{data.folder} has {len(train[0]):,} symbols to train on, fewer than a batch: {key}.train.batch_size is "
            f"{model.train.batch_size} and {key}.steps {model.steps}; lower one of them, or give a longer text"
        )
    return Streams(*train, model.steps, device), Passage(*val, device)


class Streams:
    """The training text, in `batch_size` streams; up to `batch_size - 1` symbols at its end are left over.

    Args:
        symbols: unsigned (L,).
        targets: int64 (L,), each the symbol after.
        steps: symbols of a stream in a batch; an epoch's last batch may have fewer.
        device: where batches are wanted.
    """

    def __init__(self, symbols: np.ndarray, targets: np.ndarray, steps: int, device: torch.device) -> None:
        self._symbols = torch.from_numpy(symbols.astype(np.int64)).to(device)
        self._targets = torch.from_numpy(np.array(targets)).to(device)
        self._steps = steps

    def __len__(self) -> int:
        return len(self._targets)

    def batches(self, batch_size: int, seed: int, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The epoch's batches from batch `first` on: inputs int64 (batch_size, steps), targets as one row.

        The order is the text's in every epoch, whatever the seed.
        """
        length = len(self) // batch_size
        symbols, targets = (one[: batch_size * length].view(batch_size, -1) for one in (self._symbols, self._targets))
        for step in range(first, self.steps(batch_size)):
            there = slice(step * self._steps, (step + 1) * self._steps)
            yield Batch(torch.arange(batch_size), symbols[:, there], targets[:, there].flatten(), epoch, step)

    def sample(self, count: int) -> tuple[Tensor, Tensor]:
        """Inputs of the text's first `count` pieces, each as long as a batch, or of all; their targets as one row."""
        pieces = min(count, len(self) // self._steps)
        symbols, targets = (one[: pieces * self._steps] for one in (self._symbols, self._targets))
        return symbols.view(pieces, self._steps), targets

    def steps(self, batch_size: int) -> int:
        """Batches in an epoch."""
        return -(-(len(self) // batch_size) // self._steps)


class Passage:
    """The validation text, read as `in_streams` has it."""

    def __init__(self, symbols: np.ndarray, targets: np.ndarray, device: torch.device) -> None:
        """Of symbols unsigned (L,) and targets int64 (L,)."""
        self._length = len(symbols)
        self._symbols = torch.from_numpy(in_streams(symbols)).to(device)
        self._targets = torch.from_numpy(in_streams(targets, fill=_NONE)).to(device)

    def __len__(self) -> int:
        return self._length

    def in_order(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pieces (N, T), with their targets as one row, in which -100 stands beyond the text's end."""
        pieces = zip(self._symbols.split(STREAMS_AT_ONCE), self._targets.split(STREAMS_AT_ONCE), strict=True)
        yield from ((symbols, targets.flatten()) for symbols, targets in pieces)
