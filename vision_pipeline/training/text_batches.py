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

from vision_pipeline.config.models import AnyModelConfig, RecurrentConfig, TrainConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import PreparedDataset
from vision_pipeline.data.training_data import TrainingData
from vision_pipeline.runtime.inference import STREAMS_PER_BATCH
from vision_pipeline.runtime.preprocessing import split_into_streams
from vision_pipeline.training.batches import ArrayDataset, Batch

_IGNORE_INDEX = -100  # the target that cross-entropy leaves out


def make_splits(
    name: str, data: PreparedDataset, train_data: TrainingData, model: AnyModelConfig, device: torch.device
) -> tuple["ArrayDataset | TextBatches", "ArrayDataset | TextEvalSet"]:
    """What the model `name` is trained on, and the split that it is validated with.

    Raises:
        UserError: the training text is shorter than a batch.
    """
    train, val = (train_data.inputs, train_data.targets), (data.inputs("val"), data.targets("val"))
    if data.info.kind != "text" or not isinstance(model, RecurrentConfig) or not isinstance(model.train, TrainConfig):
        return ArrayDataset(*train, device), ArrayDataset(*val, device)
    if len(train[0]) < model.train.batch_size * model.steps:
        key = f"models.{name}"
        raise UserError(
            f"{data.folder} has {len(train[0]):,} symbols to train on, fewer than a batch: {key}.train.batch_size is "
            f"{model.train.batch_size} and {key}.steps {model.steps}; lower one of them, or give a longer text"
        )
    return TextBatches(*train, model.steps, device), TextEvalSet(*val, device)


class TextBatches:
    """The training text, in `batch_size` streams; up to `batch_size - 1` symbols at its end are left over.

    Args:
        symbols: unsigned (L,).
        targets: int64 (L,), each the symbol after.
        num_batches: symbols of a stream in a batch; an epoch's last batch may have fewer.
        device: where batches are wanted.
    """

    def __init__(self, tokens: np.ndarray, targets: np.ndarray, seq_len: int, device: torch.device) -> None:
        self._tokens = torch.from_numpy(tokens.astype(np.int64)).to(device)
        self._targets = torch.from_numpy(np.array(targets)).to(device)
        self._seq_len = seq_len

    def __len__(self) -> int:
        return len(self._targets)

    def iter_batches(self, batch_size: int, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """The epoch's batches from batch `first_step` on: inputs int64 (batch_size, steps), targets as one row.

        The order is the text's in every epoch, whatever the seed.
        """
        stream_len = len(self) // batch_size
        tokens, targets = (
            sequence[: batch_size * stream_len].view(batch_size, -1) for sequence in (self._tokens, self._targets)
        )
        for step in range(first_step, self.num_batches(batch_size)):
            window = slice(step * self._seq_len, (step + 1) * self._seq_len)
            yield Batch(torch.arange(batch_size), tokens[:, window], targets[:, window].flatten(), epoch, step)

    def head(self, count: int) -> tuple[Tensor, Tensor]:
        """Inputs of the text's first `count` pieces, each as long as a batch, or of all; their targets as one row."""
        num_pieces = min(count, len(self) // self._seq_len)
        tokens, targets = (sequence[: num_pieces * self._seq_len] for sequence in (self._tokens, self._targets))
        return tokens.view(num_pieces, self._seq_len), targets

    def num_batches(self, batch_size: int) -> int:
        """Batches in an epoch."""
        return -(-(len(self) // batch_size) // self._seq_len)


class TextEvalSet:
    """The validation text, read as `split_into_streams` has it."""

    def __init__(self, tokens: np.ndarray, targets: np.ndarray, device: torch.device) -> None:
        """Of symbols unsigned (L,) and targets int64 (L,)."""
        self._length = len(tokens)
        self._tokens = torch.from_numpy(split_into_streams(tokens)).to(device)
        self._targets = torch.from_numpy(split_into_streams(targets, fill=_IGNORE_INDEX)).to(device)

    def __len__(self) -> int:
        return self._length

    def iter_sequential(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Pieces (N, T), with their targets as one row, in which -100 stands beyond the text's end."""
        pieces = zip(self._tokens.split(STREAMS_PER_BATCH), self._targets.split(STREAMS_PER_BATCH), strict=True)
        yield from ((tokens, targets.flatten()) for tokens, targets in pieces)
