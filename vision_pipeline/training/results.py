"""The results of a training: metrics of each epoch, statistics of each layer, the best weights, and their reports.

The statistics of a layer show whether gradients reach it and whether its units still respond. Source: Glorot and
Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010: units that saturate
and gradients that vanish on the way to the first layer.
"""

from collections.abc import Sequence
from dataclasses import KW_ONLY, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vision_pipeline.core.files import read_json, write_csv, write_json

REPORT_FILES = ("train.json", "history.csv", "layers.csv")  # without times and paths, so that equal trainings agree


@dataclass
class EpochAccumulator:
    """The sums of an epoch's steps in this rank, on the device, because reading them waits for the device.

    Attributes:
        losses: float32 (steps,), each step's mean loss; 0 for a step that is not done.
        counts: float32 (steps,), the rows of each step's whole batch.
        correct: int64 (), correct predictions among this rank's rows.
    """

    losses: Tensor
    counts: Tensor
    correct: Tensor

    @classmethod
    def zeros(cls, steps: int, device: torch.device) -> "EpochAccumulator":
        """Return the sums before the first of `steps` steps."""
        losses, counts = (torch.zeros(steps, device=device) for _ in range(2))
        return cls(losses, counts, torch.zeros((), dtype=torch.int64, device=device))

    def add(self, step: int, loss: Tensor, count: int, correct: Tensor) -> None:
        """Add the loss, the number of rows and the correct predictions of a step."""
        self.losses[step] = loss
        self.counts[step].fill_(count)  # an assignment would send the number to a GPU and wait for it
        self.correct += correct

    def to_cpu(self) -> dict[str, Tensor]:
        """Return the tensors by name, on the CPU."""
        return {name: tensor.cpu() for name, tensor in vars(self).items()}


@dataclass(frozen=True, kw_only=True)
class EpochMetrics:
    """The metrics of one epoch.

    Attributes:
        epoch: number of the epoch, from 1.
        lr: learning rate of its last step; 1 with L-BFGS, which finds each step's length by itself.
        train_loss: mean over its training images, as trained (augmented, with dropout).
        train_accuracy: the same for the accuracy, 0 to 1.
        val_loss: plain cross-entropy on the validation split.
        val_accuracy: accuracy on the validation split, 0 to 1.
        weight_decay: weight decay of the epoch; with L-BFGS, every epoch has another one.
    """

    epoch: int
    lr: float
    train_loss: float
    train_accuracy: float
    val_loss: float
    val_accuracy: float
    weight_decay: float

    def is_better_than(self, other: "EpochMetrics | None") -> bool:
        """Return whether the validation accuracy is higher, or the same at a lower validation loss."""
        if other is None:
            return True
        return (self.val_accuracy, -self.val_loss) > (other.val_accuracy, -other.val_loss)

    def metrics(self) -> dict[str, float]:
        """Return the metrics by name, without the epoch."""
        return {name: value for name, value in asdict(self).items() if name != "epoch"}


def write_history(path: Path, history: list[EpochMetrics]) -> None:
    """Write one row per epoch, values to 8 significant digits."""
    rows = ([epoch.epoch, *map(float, epoch.metrics().values())] for epoch in history)
    write_csv(path, [field.name for field in fields(EpochMetrics)], rows)


@dataclass(frozen=True)
class LayerStats:
    """One trained layer after an epoch, on the probe batch.

    Attributes:
        epoch: number of the epoch; 0 is before the first step.
        layer: name of the layer in the network.
        gradient_norm: L2 norm of the loss's gradient with respect to its matrices or filters.
        saturated: share of its units' activations whose derivative is below 0.01 in size, 0 to 1; None where no
            sigmoid and no tanh follows it.
        dead: share of its units (in a convolution: filters) whose activation is 0 for every input, 0 to 1; None where
            no ReLU follows it.
    """

    epoch: int
    layer: str
    gradient_norm: float
    _: KW_ONLY
    saturated: float | None
    dead: float | None


def write_layer_stats(path: Path, layers: Sequence[LayerStats]) -> None:
    """Write one row per epoch and layer, values to 8 significant digits; a missing value is an empty cell."""
    write_csv(path, [field.name for field in fields(LayerStats)], (list(asdict(layer).values()) for layer in layers))


@dataclass
class TrainResult:
    """The result of a training so far: the weights of the best epoch by validation, and every epoch's metrics."""

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
        """Return the result as plain values and tensors."""
        best, history = self.best.epoch if self.best else 0, [asdict(epoch) for epoch in self.history]
        layers = [asdict(layer) for layer in self.layers]
        return {"history": history, "best": best, "best_weights": self.weights, "layers": layers}

    @classmethod
    def from_state_dict(cls, state: dict[str, Any]) -> "TrainResult":
        """Return the result that `state_dict` returned."""
        history = [EpochMetrics(**epoch) for epoch in state["history"]]
        best = next((epoch for epoch in history if epoch.epoch == state["best"]), None)
        return cls(state["best_weights"], best, history, [LayerStats(**layer) for layer in state["layers"]])


def write_reports(folder: Path, report: dict[str, Any], result: TrainResult) -> None:
    """Write `REPORT_FILES` to a folder: `report`, each epoch's metrics, and each layer's statistics."""
    train, history, layers = (folder / file for file in REPORT_FILES)
    write_json(train, report)
    write_history(history, result.history)
    write_layer_stats(layers, result.layers)


def training_summary(result: TrainResult, parameters: int, trainable: int) -> dict[str, Any]:
    """Return the entries of `train.json`: metrics of the epoch whose weights are kept, and the number of parameters.

    Args:
        result: result of the training.
        parameters: number of parameters of the network and, where there is one, of the frozen backbone before it.
        trainable: number of the parameters that were trained.
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
    """Return the number of parameters of the backbone that computed a folder's features; 0 where there is none."""
    backbone = features_dir / "backbone.json"
    return int(read_json(backbone)["parameters"]) if backbone.exists() else 0
