"""The optimizer and the learning rate over time."""

import math
from typing import Protocol

from torch import Tensor, nn

from stages.params.training import Train
from stages.training.muon import Muon
from stages.training.updates import Adam, Rate, Sgd

_MUONS_SGD_MOMENTUM = 0.85  # of what Muon leaves to SGD, as in its source


class Update(Protocol):
    """How some parameters are updated; `state` is what later steps depend on, changed in place."""

    parameters: list[nn.Parameter]
    state: list[Tensor]

    def step(self, rate: Rate) -> None:
        """Update them by their gradients."""


class Optimizer:
    """The updates of a network's parts; each one's rate is the schedule's times a scale."""

    def __init__(self, parts: dict[str, Update], scales: dict[str, float]) -> None:
        self.parts, self.scales = parts, scales

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for update in self.parts.values():
            for parameter in update.parameters:
                parameter.grad = None

    def step(self, rate: Rate) -> None:
        """Update the weights at a learning rate."""
        for part, update in self.parts.items():
            update.step(rate * self.scales[part])

    def state_dict(self) -> dict[str, list[Tensor]]:
        """All that later steps depend on."""
        return {part: update.state for part, update in self.parts.items()}

    def load_state_dict(self, states: dict[str, list[Tensor]]) -> None:
        """Go on from a `state_dict`."""
        for part, update in self.parts.items():
            for tensor, saved in zip(update.state, states[part], strict=True):
                tensor.copy_(saved)


def build_optimizer(network: nn.Module, settings: Train) -> Optimizer:
    """The optimizer of a network's trainable parameters, with rates of their own for output layer and biases.

    Muon is for maps between hidden layers. It leaves the output layer and the biases to SGD with Nesterov momentum,
    whose decay is divided by the rate, so that `weight_decay` is the share that a step takes away at the peak rate.
    Weight decay holds for matrices and filters only: biases and batch-norm scales are few, and
    pulling them to zero only hurts (He et al. 2019, arXiv 1812.01187, section 3.1).
    """
    scales = {"hidden": 1.0, "head": settings.head_lr, "biases": settings.bias_lr}
    parts = {}
    for part, parameters in _parts(network).items():
        decay = settings.weight_decay if part != "biases" else 0.0
        parts[part] = _update(part, parameters, decay, scales[part], settings)
    return Optimizer(parts, scales)


def _update(part: str, parameters: list[nn.Parameter], decay: float, scale: float, settings: Train) -> Update:
    if settings.optimizer == "muon":
        if part == "hidden":
            return Muon(parameters, settings.momentum)
        return Sgd(parameters, _MUONS_SGD_MOMENTUM, decay / (settings.lr * scale))
    if settings.optimizer == "sgd":
        return Sgd(parameters, settings.momentum, decay)
    return Adam(parameters, decay, decoupled=settings.optimizer == "adamw")


def _parts(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The trainable parameters by their part in the network: its hidden maps, its output layer, its biases."""
    parts: dict[str, list[nn.Parameter]] = {"hidden": [], "head": [], "biases": []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            part = "biases" if parameter.ndim <= 1 else "head" if name.startswith("output.") else "hidden"
            parts[part].append(parameter)
    return {part: parameters for part, parameters in parts.items() if parameters}


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
