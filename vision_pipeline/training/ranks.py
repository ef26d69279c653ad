"""Which rows of a batch a rank computes, and what they weigh in the batch's mean loss."""

import time
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from vision_pipeline.runtime.device import Runtime

_MIN_ROWS_PER_RANK = 2  # batch norm refuses a single one


@dataclass(frozen=True)
class Shard:
    """One rank's rows of a batch.

    Attributes:
        rows: of the batch.
        size: ranks that share the batch.
        contributes: False where the rows are also another's, which counts them.
    """

    rows: slice
    size: int
    contributes: bool

    def scale_loss(self, loss: Tensor, shard_normalizer: Tensor | int, batch_normalizer: Tensor | int) -> Tensor:
        """The loss whose average over the ranks is the mean loss of the whole batch, as of its gradients.

        Args:
            loss: mean over this shard's rows.
            shard_normalizer, batch_normalizer: what the mean over this shard, and the one over the whole batch, divide by.
        """
        return loss if self.size == 1 else loss * (self.size * self.contributes * shard_normalizer / batch_normalizer)


def shard(rows: int, rank: int, size: int) -> Shard:
    """The shard of rank `rank` of `size`, of a batch of `rows` rows: contiguous, as even as can be.

    A batch with fewer than two rows for each rank is not shared: every rank computes all of it, rank 0 counts it.
    """
    if rows < _MIN_ROWS_PER_RANK * size:
        return Shard(slice(0, rows), size, contributes=rank == 0)
    return Shard(slice(rank * rows // size, (rank + 1) * rows // size), size, contributes=True)


# MERGED What the processes (ranks) of one training tell each other; here of a training in one process.
# MERGED
# MERGED Every rank holds the whole network, computes its rows of every batch, and takes the same step, by the average of all
# MERGED ranks' gradients (data parallelism; Li et al. 2020, arXiv 2006.15704).
class DistributedContext:
    """The ranks of a training; of this class, one alone, which has nobody to tell anything.

    Attributes:
        rank: of this process, from 0. Rank 0 alone reads and writes files, tracks and talks.
        size: the number of ranks.
    """

    rank, size = 0, 1

    def shard(self, rows: int) -> Shard:
        """This rank's part of a batch of `rows` rows."""
        return shard(rows, self.rank, self.size)

    def local_runtime(self, runtime: Runtime) -> Runtime:
        """What this rank may use of its machine."""
        return runtime

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        """The network, whose gradients are averaged over the ranks; its weights become those of rank 0."""
        return network

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        """The sum over the ranks of each element."""
        return values

    def all_reduce_max(self, value: int) -> int:
        """The highest of the ranks' numbers."""
        return value

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, in every rank; what is given elsewhere is not looked at."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in rank 0; an empty list elsewhere."""
        return [value]

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Give every rank the running averages of rank 0."""


SINGLE_PROCESS = DistributedContext()


# MERGED What all ranks of a training do at the same step, though each knows only of its own clock and signals.
_SECONDS_BETWEEN_POLLS = 1.0  # between questions


class RankConsensus:
    """Asks all ranks for a number, but only every so many steps, about once a second.

    Asked at each step, every rank would wait for the slowest each time. After how many steps the next question
    comes is agreed on too, since no two clocks are the same.
    """

    def __init__(self, world: DistributedContext) -> None:
        self._world = world
        self._steps_since_poll, self._steps_between_polls, self._polled_at = 0, 1, time.monotonic()

    def all_reduce_max(self, value: int) -> int:
        """The highest of the ranks' numbers; 0 at the steps between questions. Call it once a step."""
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
