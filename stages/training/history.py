"""What training records of each epoch."""

import csv
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from stages.project.files import write_csv


@dataclass(frozen=True)
class Epoch:
    """One epoch's figures.

    Attributes:
        epoch: from 1.
        lr: the learning rate of its last step; 1 with L-BFGS, which finds each step's length by itself.
        train_loss: mean over its training images, as trained (augmented, with dropout).
        train_accuracy: likewise, 0 to 1.
        val_loss: on the validation split, plain cross-entropy.
        val_accuracy: on the validation split, 0 to 1.
        weight_decay: that it was trained with; with L-BFGS, every epoch has another one.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    weight_decay: float

    def better_than(self, other: "Epoch | None") -> bool:
        """Higher validation accuracy, or the same at a lower validation loss."""
        if other is None:
            return True
        return (self.val_accuracy, -self.val_loss) > (other.val_accuracy, -other.val_loss)

    def metrics(self) -> dict[str, float]:
        """By name, without the epoch."""
        return {name: value for name, value in asdict(self).items() if name != "epoch"}


def write_history(path: Path, history: list[Epoch]) -> None:
    """Write one row per epoch, values to 8 significant digits."""
    rows = ([epoch.epoch, *map(float, epoch.metrics().values())] for epoch in history)
    write_csv(path, [field.name for field in fields(Epoch)], rows)


def read_history(path: Path) -> list[Epoch]:
    """Read what `write_history` wrote."""
    with path.open(newline="") as file:
        return [
            Epoch(epoch=int(row.pop("epoch")), **{k: float(v) for k, v in row.items()}) for row in csv.DictReader(file)
        ]
