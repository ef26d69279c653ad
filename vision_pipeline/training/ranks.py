"""The processes (ranks) of one training: their shards of a batch, their collectives, and their joint decisions.

Every rank holds the whole network, computes its rows of every batch, and takes the same step, by the average of all
ranks' gradients (data parallelism; Li et al. 2020, arXiv 2006.15704). Here is the context of a single process;
`distributed.py` has that of several.
"""

import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vision_pipeline.runtime.device import Runtime

_MIN_ROWS_PER_RANK = 2  # batch norm rejects a single row
_SECONDS_BETWEEN_POLLS = 1.0


@dataclass(frozen=True)
class Shard:
    """One rank's rows of a batch.

    Attributes:
        rows: the rank's rows of the batch.
        size: number of ranks that share the batch.
        contributes: False where another rank has the same rows and counts them.
    """

    rows: slice
    size: int
    contributes: bool

    def scale_loss(self, loss: Tensor, shard_normalizer: Tensor | int, batch_normalizer: Tensor | int) -> Tensor:
        """Return the loss whose average over the ranks is the mean loss of the whole batch; so are its gradients.

        Args:
            loss: mean loss over this shard's rows.
            shard_normalizer: divisor of the mean over this shard.
            batch_normalizer: divisor of the mean over the whole batch.
        """
        return loss if self.size == 1 else loss * (self.size * self.contributes * shard_normalizer / batch_normalizer)


def shard(rows: int, rank: int, size: int) -> Shard:
    """Return the shard of rank `rank` of `size` of a batch: contiguous rows, divided as evenly as possible.

    A batch with fewer than two rows for each rank is not divided: every rank computes all of it, rank 0 counts it.
    """
    if rows < _MIN_ROWS_PER_RANK * size:
        return Shard(slice(0, rows), size, contributes=rank == 0)
    return Shard(slice(rank * rows // size, (rank + 1) * rows // size), size, contributes=True)


class DistributedContext:
    """The ranks of a training and their collectives; this class is a single rank, whose collectives do nothing.

    Attributes:
        rank: number of this process, from 0. Rank 0 alone reads and writes files, tracks and prints.
        size: number of ranks.
    """

    rank, size = 0, 1

    def shard(self, rows: int) -> Shard:
        """Return this rank's shard of a batch of `rows` rows."""
        return shard(rows, self.rank, self.size)

    def local_runtime(self, runtime: Runtime) -> Runtime:
        """Return the part of the machine that this rank may use."""
        return runtime

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """Return the network with gradients averaged over the ranks; its weights become those of rank 0."""
        return network

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        """Return the sum of each element over the ranks."""
        return values

    def all_reduce_max(self, value: int) -> int:
        """Return the highest of the ranks' numbers."""
        return value

    def broadcast(self, value: Any) -> Any:
        """Return rank 0's value in every rank; the other ranks' values are ignored."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """Return every rank's value in rank 0; an empty list in the other ranks."""
        return [value]

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Copy the running averages of rank 0 to every rank."""


SINGLE_PROCESS = DistributedContext()


class RankConsensus:
    """The ranks' agreement on what they do at the same step, although each has its own clock and its own signals.

    The ranks are polled about once a second: polled at each step, every rank would wait for the slowest each time. The
    number of steps until the next poll is agreed on, too, because no two clocks are the same.
    """

    def __init__(self, world: DistributedContext) -> None:
        self._world = world
        self._steps_since_poll, self._steps_between_polls, self._polled_at = 0, 1, time.monotonic()

    def all_reduce_max(self, value: int) -> int:
        """Return the highest of the ranks' numbers; 0 at the steps between polls. Call it once a step."""
        if self._world.size == 1:
            return value
        self._steps_since_poll += 1
        if self._steps_since_poll < self._steps_between_polls:
            return 0
        elapsed = max(time.monotonic() - self._polled_at, 1e-6)
        self._steps_between_polls = self._world.all_reduce_max(
            max(1, int(self._steps_since_poll / elapsed * _SECONDS_BETWEEN_POLLS))
        )
        self._steps_since_poll, self._polled_at = 0, time.monotonic()
        return self._world.all_reduce_max(value)
