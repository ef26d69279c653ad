"""The reports of a training: no time and no path, so that equal trainings agree."""

from pathlib import Path
from typing import Any

from stages.project.files import read_json, write_json
from stages.training.history import write_history
from stages.training.layer_figures import write_layers
from stages.training.outcome import Outcome

REPORTS = ("train.json", "history.csv", "layers.csv")


def write_reports(folder: Path, report: dict[str, Any], outcome: Outcome) -> None:
    """Write `REPORTS`: `report`, and each epoch's figures, of the whole and by layer."""
    train, history, layers = (folder / file for file in REPORTS)
    write_json(train, report)
    write_history(history, outcome.history)
    write_layers(layers, outcome.layers)


def summary(outcome: Outcome, parameters: int, trainable: int) -> dict[str, Any]:
    """For `train.json`: figures of the epoch whose weights are kept, and the number of parameters.

    Args:
        outcome: of the training.
        parameters: of the network and, where there is one, of the frozen backbone in front of it.
        trainable: those of them that were trained.
    """
    best = outcome.best
    if best is None:
        raise ValueError("a training has at least one epoch")
    return {
        "epochs": len(outcome.history),
        "best_epoch": best.epoch,
        "last_train_loss": round(outcome.history[-1].train_loss, 6),
        **{name: round(value, 6) for name, value in best.metrics().items() if name != "lr"},
        "parameters": parameters,
        "trainable_parameters": trainable,
    }


def frozen_parameters(features: Path) -> int:
    """Parameters of the backbone that a folder's features came from; 0 where there is none."""
    backbone = features / "backbone.json"
    return int(read_json(backbone)["parameters"]) if backbone.exists() else 0
