"""What the steps of an epoch add up to."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass
class Sums:
    """Losses, rows and right answers of this rank, on the device: a look at them would make the device wait.

    Attributes:
        losses: float32 (steps,), each step's mean loss; 0 where it is still to be done.
        counts: float32 (steps,), the rows of each step's whole batch.
        correct: int64 (), right answers among this rank's rows.
    """

    losses: Tensor
    counts: Tensor
    correct: Tensor

    @classmethod
    def zero(cls, steps: int, device: torch.device) -> "Sums":
        """Before the first of `steps` steps."""
        losses, counts = (torch.zeros(steps, device=device) for _ in range(2))
        return cls(losses, counts, torch.zeros((), dtype=torch.int64, device=device))

    def add(self, step: int, loss: Tensor, count: int, correct: Tensor) -> None:
        """What step `step` brought."""
        self.losses[step] = loss
        self.counts[step].fill_(count)  # assigned, the number would be sent to a GPU, which waits for all before
        self.correct += correct

    def on_cpu(self) -> dict[str, Tensor]:
        """By name, to be kept."""
        return {name: tensor.cpu() for name, tensor in vars(self).items()}
