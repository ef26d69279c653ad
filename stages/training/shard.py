"""Which rows of a batch a rank computes, and what they weigh in the batch's mean loss."""

from dataclasses import dataclass

from torch import Tensor

_FEWEST_ROWS = 2  # batch norm refuses a single one


@dataclass(frozen=True)
class Shard:
    """One rank's rows of a batch.

    Attributes:
        rows: of the batch.
        size: ranks that share the batch.
        counted: False where the rows are also another's, which counts them.
    """

    rows: slice
    size: int
    counted: bool

    def of_mean(self, loss: Tensor, own: Tensor | int, whole: Tensor | int) -> Tensor:
        """The loss whose average over the ranks is the mean loss of the whole batch, as of its gradients.

        Args:
            loss: mean over this shard's rows.
            own, whole: what the mean over this shard, and the one over the whole batch, divide by.
        """
        return loss if self.size == 1 else loss * (self.size * self.counted * own / whole)


def shard(rows: int, rank: int, size: int) -> Shard:
    """The shard of rank `rank` of `size`, of a batch of `rows` rows: contiguous, as even as can be.

    A batch with fewer than two rows for each rank is not shared: every rank computes all of it, rank 0 counts it.
    """
    if rows < _FEWEST_ROWS * size:
        return Shard(slice(0, rows), size, counted=rank == 0)
    return Shard(slice(rank * rows // size, (rank + 1) * rows // size), size, counted=True)
