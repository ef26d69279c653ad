"""Rows of a split, kept on the device and yielded in whole batches."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

import numpy as np
import torch
from torch import Tensor

from vision_pipeline.core.logging import logger
from vision_pipeline.runtime.device import to_device_async
from vision_pipeline.runtime.seeding import keyed_generator

ALL_ROWS = slice(None)

_SHARE_OF_FREE_MEMORY = 0.5  # the rest is left to the network, its gradients and its activations
_MAX_BYTES_IN_MAIN_MEMORY = 2**30


@dataclass(frozen=True)
class Batch:
    """Some rows of a split, for one training step.

    Attributes:
        rows: int64 (N,), on the CPU.
        inputs: the N rows as they are stored, on the device.
        targets: int64 (N,), on the device; of a text (N * steps,), stream after stream.
        epoch: number of the epoch, from 1.
        step: number of the step in its epoch, from 0.
    """

    rows: Tensor
    inputs: Tensor
    targets: Tensor
    _: KW_ONLY
    epoch: int
    step: int


class ArrayDataset:
    """The inputs and targets of a split: on the device when they fit there, else memory-mapped.

    Args:
        inputs: uint8 (N, H, W, C), float16 (N, D) or tokens, unsigned (N, T).
        targets: int64 (N,).
        device: device of the batches.
    """

    def __init__(self, inputs: np.ndarray, targets: np.ndarray, device: torch.device) -> None:
        self._device = device
        self._mapped = inputs
        self._inputs = _copy_to_tensor(inputs).to(device) if _fits(inputs.nbytes, device) else None
        self._targets = _copy_to_tensor(targets).to(device)
        if self._inputs is None:
            logger.debug(f"inputs of {inputs.nbytes:,} bytes stay memory-mapped: they do not fit on {device}")

    @property
    def input_shape(self) -> list[int]:
        """The shape of one input as it is stored."""
        return list(self._mapped.shape[1:])

    def __len__(self) -> int:
        return len(self._targets)

    def gather(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the inputs and targets of `rows` (int64, on the CPU), on the device."""
        device_rows = to_device_async(rows, self._device)
        if self._inputs is not None:
            return self._inputs[device_rows], self._targets[device_rows]
        return to_device_async(torch.from_numpy(self._mapped[rows.numpy()]), self._device), self._targets[device_rows]

    def head(self, count: int) -> tuple[Tensor, Tensor]:
        """Return the inputs and targets of the first `count` rows, or of all when there are fewer."""
        return self.gather(torch.arange(min(count, len(self))))

    def iter_batches(self, batch_size: int, seed: int, epoch: int, first_step: int = 0) -> Iterator[Batch]:
        """Yield all rows in an order keyed by `(seed, epoch)`, in `num_batches(batch_size)` batches.

        Args:
            batch_size: rows of a batch.
            seed: seed of the order.
            epoch: number of the epoch, from 1.
            first_step: the first batch to yield, from 0.
        """
        order = torch.randperm(len(self), generator=keyed_generator(seed, "order", epoch))
        for step, rows in list(enumerate(_split_batches(order, batch_size)))[first_step:]:
            yield Batch(rows, *self.gather(rows), epoch=epoch, step=step)

    def iter_sequential(self, batch_size: int, start: int = 0, stride: int = 1) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets of every `stride`-th row from `start` on, in the order they are stored in."""
        for rows in torch.arange(len(self))[start::stride].split(batch_size):
            yield self.gather(rows)

    def num_batches(self, batch_size: int) -> int:
        """Return the number of batches in an epoch."""
        return len(_split_batches(torch.empty(len(self)), batch_size))


def _split_batches(order: Tensor, batch_size: int) -> list[Tensor]:
    """Return batches of `batch_size`; a last batch of one row, which batch norm rejects, joins the one before."""
    batches = list(order.split(batch_size))
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches


def _copy_to_tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(array))


def _fits(num_bytes: int, device: torch.device) -> bool:
    if device.type == "cuda":
        free_bytes, _ = torch.cuda.mem_get_info(device)
        return num_bytes < free_bytes * _SHARE_OF_FREE_MEMORY
    # main memory: the mapped file's pages are already there as the system's cache
    return num_bytes < _MAX_BYTES_IN_MAIN_MEMORY
