"""What the processes (ranks) of one training tell each other; here of a training in one process.

Every rank holds the whole network, computes its rows of every batch, and takes the same step, by the average of all
ranks' gradients (data parallelism; Li et al. 2020, arXiv 2006.15704).
"""

from typing import Any

from torch import Tensor, nn

from stages.compute.device import Machine
from stages.training.shard import Shard, shard


class World:
    """The ranks of a training; of this class, one alone, which has nobody to tell anything.

    Attributes:
        rank: of this process, from 0. Rank 0 alone reads and writes files, tracks and talks.
        size: the number of ranks.
    """

    rank, size = 0, 1

    def shard(self, rows: int) -> Shard:
        """This rank's part of a batch of `rows` rows."""
        return shard(rows, self.rank, self.size)

    def share(self, machine: Machine) -> Machine:
        """What this rank may use of its machine."""
        return machine

    def replicated(self, network: nn.Module) -> nn.Module:
        """The network, whose gradients are averaged over the ranks; its weights become those of rank 0."""
        return network

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the ranks of each element."""
        return values

    def highest(self, number: int) -> int:
        """The highest of the ranks' numbers."""
        return number

    def broadcast(self, value: Any) -> Any:
        """Rank 0's value, in every rank; what is given elsewhere is not looked at."""
        return value

    def gather(self, value: Any) -> list[Any]:
        """Every rank's value, in rank 0; an empty list elsewhere."""
        return [value]

    def broadcast_buffers(self, network: nn.Module) -> None:
        """Give every rank the running averages of rank 0."""


ALONE = World()
