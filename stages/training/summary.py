"""What `train.json` says of a training: no time and no path, so that equal trainings agree."""

from typing import Any

from torch import nn

from stages.training.loop import Outcome


def summary(outcome: Outcome, network: nn.Module, frozen: int) -> dict[str, Any]:
    """Figures of the epoch whose weights are kept, and the number of parameters.

    Args:
        outcome: of the training.
        network: that was trained.
        frozen: parameters in front of it that were not, a backbone's.
    """
    best = outcome.best
    if best is None:
        raise ValueError("a training has at least one epoch")
    trainable = sum(parameter.numel() for parameter in network.parameters())
    return {
        "epochs": len(outcome.history),
        "best_epoch": best.epoch,
        "last_train_loss": round(outcome.history[-1].train_loss, 6),
        **{name: round(value, 6) for name, value in best.metrics().items() if name != "lr"},
        "parameters": frozen + trainable,
        "trainable_parameters": trainable,
    }
