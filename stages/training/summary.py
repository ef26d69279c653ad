"""What `train.json` says of a training: no time and no path, so that equal trainings agree."""

from pathlib import Path
from typing import Any

from stages.project.files import read_json
from stages.training.outcome import Outcome


def summary(outcome: Outcome, parameters: int, trainable: int) -> dict[str, Any]:
    """Figures of the epoch whose weights are kept, and the number of parameters.

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
