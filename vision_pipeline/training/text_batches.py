"""A text on the device: for training in parallel streams, a few steps at a time; for validation as a whole.

A stream is a piece of the text. Each batch continues every stream where the batch before ended, so that a network can
keep its hidden state while the gradient goes back no further than the batch (truncated back-propagation through time).

Source: Williams and Peng, An efficient gradient-based algorithm for on-line training of recurrent network
trajectories, Neural Computation 2 (1990).
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vision_pipeline.runtime.inference import STREAMS_PER_BATCH
from vision_pipeline.runtime.preprocessing import split_into_streams
from vision_pipeline.training.batches import Batch

_IGNORE_INDEX = -100  # the target that cross-entropy ignores


class TextBatches:
    """The training text in `batch_size` streams; up to `batch_size - 1` tokens at its end are not used.

    Args:
        tokens: unsigned (L,).
        targets: int64 (L,), the token after each.
        seq_len: tokens of a stream in a batch; an epoch's last batch may have fewer.
        device: device of the batches.
    """

    def __init__(self, tokens: np.ndarray, targets: np.ndarray, seq_len: int, device: torch.device) -> None:
        self._tokens = torch.from_numpy(tokens.astype(np.int64)).to(device)
        self._targets = torch.from_numpy(np.array(targets)).to(device)
        self._seq_len = seq_len

    def __len__(self) -> int:
        return len(self._targets)

    def iter_batches(self, batch_size: int, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield the epoch's batches: inputs int64 (batch_size, seq_len), targets as one row.

        The order is the text's in every epoch, whatever the seed.

        Args:
            batch_size: number of streams.
            seed: ignored.
            epoch: number of the epoch, from 1.
            first_step: the first batch to yield, from 0.
        """
        stream_len = len(self) // batch_size
        tokens, targets = (
            sequence[: batch_size * stream_len].view(batch_size, -1) for sequence in (self._tokens, self._targets)
        )
        for step in range(first_step, self.num_batches(batch_size)):
            window = slice(step * self._seq_len, (step + 1) * self._seq_len)
            yield Batch(
                torch.arange(batch_size), tokens[:, window], targets[:, window].flatten(), epoch=epoch, step=step
            )

    def head(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the text's first `count` pieces of `seq_len` tokens, or all pieces, and their targets as one row."""
        num_pieces = min(count, len(self) // self._seq_len)
        tokens, targets = (sequence[: num_pieces * self._seq_len] for sequence in (self._tokens, self._targets))
        return tokens.view(num_pieces, self._seq_len), targets

    def num_batches(self, batch_size: int) -> int:
        """Return the number of batches in an epoch."""
        return -(-(len(self) // batch_size) // self._seq_len)


class TextEvalSet:
    """The validation text, in the pieces of `split_into_streams`.

    Args:
        tokens: unsigned (L,).
        targets: int64 (L,), the token after each.
        device: device of the pieces.
    """

    def __init__(self, tokens: np.ndarray, targets: np.ndarray, device: torch.device) -> None:
        self._length = len(tokens)
        self._tokens = torch.from_numpy(split_into_streams(tokens)).to(device)
        self._targets = torch.from_numpy(split_into_streams(targets, fill=_IGNORE_INDEX)).to(device)

    def __len__(self) -> int:
        return self._length

    def iter_sequential(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield pieces (N, T) and their targets as one row, which are -100 beyond the text's end."""
        pieces = zip(self._tokens.split(STREAMS_PER_BATCH), self._targets.split(STREAMS_PER_BATCH), strict=True)
        yield from ((tokens, targets.flatten()) for tokens, targets in pieces)
