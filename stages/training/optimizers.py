"""The optimizer and the learning rate over time."""

import math
from typing import Any

import torch
from torch import nn

from stages.params.schema import Train
from stages.training.muon import Muon

_MUONS_SGD_MOMENTUM = 0.85  # of what Muon leaves to SGD, as in its source


class Optimizer:
    """One or more of torch's optimizers as one; each group's rate is the schedule's times its `scale`."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)

    def step(self, rate: float) -> None:
        """Update the weights at a learning rate."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate * group["scale"]
            part.step()

    def state_dict(self) -> list[dict[str, Any]]:
        """All that later steps depend on."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict[str, Any]]) -> None:
        """Go on from a `state_dict`."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)


def build_optimizer(network: nn.Module, settings: Train) -> Optimizer:
    """The optimizer of a network's trainable parameters, with rates of their own for output layer and biases.

    Muon is for maps between hidden layers. It leaves the output layer and the biases to SGD with Nesterov momentum,
    whose decay is divided by the rate, so that `weight_decay` is the share that a step takes away at the peak rate.
    """
    groups = _groups(network, settings)
    if settings.optimizer == "muon":
        hidden = [groups.pop("hidden")] if "hidden" in groups else []
        for group in groups.values():
            group["weight_decay"] /= settings.lr * group["scale"]
        rest = torch.optim.SGD(groups.values(), settings.lr, _MUONS_SGD_MOMENTUM, nesterov=True, fused=True)
        return Optimizer(*(Muon([group], settings.lr, settings.momentum) for group in hidden), rest)
    if settings.optimizer == "sgd":
        nesterov = settings.momentum > 0
        return Optimizer(
            torch.optim.SGD(groups.values(), settings.lr, settings.momentum, nesterov=nesterov, fused=True)
        )
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return Optimizer(kind(groups.values(), settings.lr, fused=True))


def _groups(network: nn.Module, settings: Train) -> dict[str, dict[str, Any]]:
    """The trainable parameters by their part in the network; each group has its `scale` of the rate.

    Weight decay holds for matrices and filters only: biases and batch-norm scales are few, and
    pulling them to zero only hurts (He et al. 2019, arXiv 1812.01187, section 3.1).
    """
    scales = {"hidden": 1.0, "head": settings.head_lr, "biases": settings.bias_lr}
    groups: dict[str, dict[str, Any]] = {
        part: {"params": [], "scale": scale, "weight_decay": settings.weight_decay if part != "biases" else 0.0}
        for part, scale in scales.items()
    }
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            part = "biases" if parameter.ndim <= 1 else "head" if name.startswith("output.") else "hidden"
            groups[part]["params"].append(parameter)
    return {part: group for part, group in groups.items() if group["params"]}


def rate_at(step: int, steps: int, settings: Train) -> float:
    """The learning rate of a step.

    `warmup` is the share of the steps in which the rate rises; `one-cycle` rises and falls along
    cosines, from 1/25 of the rate to 1/250,000 (Smith & Topin 2018, arXiv 1708.07120; the shape of
    torch's OneCycleLR), the others rise in a straight line.

    Args:
        step: from 0.
        steps: of the whole training.
        settings: with the peak rate `lr`, `schedule` and `warmup`.
    """
    rising = settings.warmup * steps
    if step < rising:
        done = (step + 1) / (math.floor(rising) + 1)
        return settings.lr * (_cosine(1 / 25, 1, done) if settings.schedule == "one-cycle" else done)
    left = max(steps - 1 - rising, 1)
    return settings.lr * _falling(settings.schedule, min((step - rising) / left, 1))


def _falling(schedule: str, done: float) -> float:
    if schedule == "linear":
        return 1 - done
    if schedule == "cosine":
        return _cosine(1, 0, done)
    if schedule == "one-cycle":
        return _cosine(1, 1 / 250_000, done)
    return 1.0


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * done)) / 2
