"""What training records of each epoch."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from vision_pipeline.core.files import read_json, write_csv, write_json


@dataclass(frozen=True)
class EpochMetrics:
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

    def is_better_than(self, other: "EpochMetrics | None") -> bool:
        """Higher validation accuracy, or the same at a lower validation loss."""
        if other is None:
            return True
        return (self.val_accuracy, -self.val_loss) > (other.val_accuracy, -other.val_loss)

    def metrics(self) -> dict[str, float]:
        """By name, without the epoch."""
        return {name: value for name, value in asdict(self).items() if name != "epoch"}


def write_history(path: Path, history: list[EpochMetrics]) -> None:
    """Write one row per epoch, values to 8 significant digits."""
    rows = ([epoch.epoch, *map(float, epoch.metrics().values())] for epoch in history)
    write_csv(path, [field.name for field in fields(EpochMetrics)], rows)


def read_history(path: Path) -> list[EpochMetrics]:
    """Read what `write_history` wrote."""
    with path.open(newline="") as file:
        return [
            EpochMetrics(epoch=int(row.pop("epoch")), **{k: float(v) for k, v in row.items()})
            for row in csv.DictReader(file)
        ]


# MERGED What a look at each layer says of a training: do gradients reach it, do its units still answer?
# MERGED
# MERGED Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010:
# MERGED units that saturate and gradients that vanish on the way to the first layer.
@dataclass(frozen=True)
class LayerStats:
    """One trained layer after an epoch, on the probe batch.

    Attributes:
        epoch: after which; 0 is before the first step.
        layer: its name in the network.
        gradient_norm: L2 norm of the loss's gradient by its matrices or filters.
        saturated: share of its units' answers whose derivative is below 0.01 in size, 0 to 1; None where no sigmoid
            and no tanh follows it.
        dead: share of its units (in a convolution: filters) that answer 0 to every input, 0 to 1; None where no ReLU
            follows it.
    """

    epoch: int
    layer: str
    gradient_norm: float
    saturated: float | None
    dead: float | None


def write_layer_stats(path: Path, layers: Sequence[LayerStats]) -> None:
    """Write one row per epoch and layer, values to 8 significant digits, nothing where there is none."""
    write_csv(path, [field.name for field in fields(LayerStats)], (list(asdict(layer).values()) for layer in layers))


# MERGED What came of a training, so far or in the end.
@dataclass
class TrainResult:
    """The weights of the best epoch by validation, and every epoch's figures, of the whole and by layer."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    best: EpochMetrics | None = None
    history: list[EpochMetrics] = field(default_factory=list)
    layers: list[LayerStats] = field(default_factory=list)

    def add(self, epoch: EpochMetrics, network: nn.Module) -> None:
        """Record an epoch; keep a copy of the network's weights when it is the best so far."""
        self.history.append(epoch)
        if epoch.is_better_than(self.best):
            self.best = epoch
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def state_dict(self) -> dict[str, Any]:
        """It as plain values and tensors."""
        best, history = self.best.epoch if self.best else 0, [asdict(epoch) for epoch in self.history]
        layers = [asdict(layer) for layer in self.layers]
        return {"history": history, "best": best, "best_weights": self.weights, "layers": layers}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "TrainResult":
        """What `state` gave."""
        history = [EpochMetrics(**epoch) for epoch in state["history"]]
        best = next((epoch for epoch in history if epoch.epoch == state["best"]), None)
        return cls(state["best_weights"], best, history, [LayerStats(**layer) for layer in state["layers"]])


# MERGED The reports of a training: no time and no path, so that equal trainings agree.
REPORT_FILES = ("train.json", "history.csv", "layers.csv")


def write_reports(folder: Path, report: dict[str, Any], result: TrainResult) -> None:
    """Write `REPORTS`: `report`, and each epoch's figures, of the whole and by layer."""
    train, history, layers = (folder / file for file in REPORT_FILES)
    write_json(train, report)
    write_history(history, result.history)
    write_layer_stats(layers, result.layers)


def training_summary(result: TrainResult, parameters: int, trainable: int) -> dict[str, Any]:
    """For `train.json`: figures of the epoch whose weights are kept, and the number of parameters.

    Args:
        result: of the training.
        parameters: of the network and, where there is one, of the frozen backbone in front of it.
        trainable: those of them that were trained.
    """
    best = result.best
    if best is None:
        raise ValueError("a training has at least one epoch")
    return {
        "epochs": len(result.history),
        "best_epoch": best.epoch,
        "last_train_loss": round(result.history[-1].train_loss, 6),
        **{name: round(value, 6) for name, value in best.metrics().items() if name != "lr"},
        "parameters": parameters,
        "trainable_parameters": trainable,
    }


def count_frozen(features_dir: Path) -> int:
    """Parameters of the backbone that a folder's features came from; 0 where there is none."""
    backbone = features_dir / "backbone.json"
    return int(read_json(backbone)["parameters"]) if backbone.exists() else 0
