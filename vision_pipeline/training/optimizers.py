"""The optimizer and the learning rate over time."""

import math
from typing import Protocol

from torch import Tensor, nn

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.training.fused_optimizers import FusedAdam, FusedSGD, LearningRate
from vision_pipeline.training.muon import Muon

_MUONS_SGD_MOMENTUM = 0.85  # of what Muon leaves to SGD, as in its source


class GroupOptimizer(Protocol):
    """How some parameters are updated; `state` is what later steps depend on, changed in place."""

    parameters: list[nn.Parameter]
    state: list[Tensor]

    def step(self, lr: LearningRate) -> None:
        """Update them by their gradients."""


class Optimizer:
    """The updates of a network's parts; each one's rate is the schedule's times a scale."""

    def __init__(self, param_groups: dict[str, GroupOptimizer], lr_scales: dict[str, float]) -> None:
        self.param_groups, self.lr_scales = param_groups, lr_scales

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for optimizer in self.param_groups.values():
            for parameter in optimizer.parameters:
                parameter.grad = None

    def step(self, lr: LearningRate) -> None:
        """Update the weights at a learning rate."""
        for group, optimizer in self.param_groups.items():
            optimizer.step(lr * self.lr_scales[group])

    def state_dict(self) -> dict[str, list[Tensor]]:
        """All that later steps depend on."""
        return {group: optimizer.state for group, optimizer in self.param_groups.items()}

    def load_state_dict(self, states: dict[str, list[Tensor]]) -> None:
        """Go on from a `state_dict`."""
        for group, optimizer in self.param_groups.items():
            for tensor, saved in zip(optimizer.state, states[group], strict=True):
                tensor.copy_(saved)


def build_optimizer(network: nn.Module, settings: TrainConfig) -> Optimizer:
    """The optimizer of a network's trainable parameters, with rates of their own for output layer and biases.

    Muon is for maps between hidden layers. It leaves the output layer and the biases to SGD with Nesterov momentum,
    whose decay is divided by the rate, so that `weight_decay` is the share that a step takes away at the peak rate.
    Weight decay holds for matrices and filters only: biases and batch-norm scales are few, and
    pulling them to zero only hurts (He et al. 2019, arXiv 1812.01187, section 3.1).
    """
    lr_scales = {"hidden": 1.0, "head": settings.head_lr, "biases": settings.bias_lr}
    param_groups = {}
    for group, parameters in _split_param_groups(network).items():
        weight_decay = settings.weight_decay if group != "biases" else 0.0
        param_groups[group] = _make_group_optimizer(group, parameters, weight_decay, lr_scales[group], settings)
    return Optimizer(param_groups, lr_scales)


def _make_group_optimizer(
    group: str, parameters: list[nn.Parameter], weight_decay: float, lr_scale: float, settings: TrainConfig
) -> GroupOptimizer:
    if settings.optimizer == "muon":
        if group == "hidden":
            return Muon(parameters, settings.momentum)
        return FusedSGD(parameters, _MUONS_SGD_MOMENTUM, weight_decay / (settings.lr * lr_scale))
    if settings.optimizer == "sgd":
        return FusedSGD(parameters, settings.momentum, weight_decay)
    return FusedAdam(parameters, weight_decay, decoupled=settings.optimizer == "adamw")


def _split_param_groups(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The trainable parameters by their part in the network: its hidden maps, its output layer, its biases."""
    groups: dict[str, list[nn.Parameter]] = {"hidden": [], "head": [], "biases": []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            group = "biases" if parameter.ndim <= 1 else "head" if name.startswith("output.") else "hidden"
            groups[group].append(parameter)
    return {group: parameters for group, parameters in groups.items() if parameters}


def lr_at(step: int, total_steps: int, settings: TrainConfig) -> float:
    """The learning rate of a step.

    `warmup` is the share of the steps in which the rate rises; `one-cycle` rises and falls along
    cosines, from 1/25 of the rate to 1/250,000 (Smith & Topin 2018, arXiv 1708.07120; the shape of
    torch's OneCycleLR), the others rise in a straight line.

    Args:
        step: from 0.
        total_steps: of the whole training.
        settings: with the peak rate `lr`, `schedule` and `warmup`.
    """
    warmup_steps = settings.warmup * total_steps
    if step < warmup_steps:
        progress = (step + 1) / (math.floor(warmup_steps) + 1)
        return settings.lr * (
            _interpolate_cosine(1 / 25, 1, progress) if settings.schedule == "one-cycle" else progress
        )
    decay_steps = max(total_steps - 1 - warmup_steps, 1)
    return settings.lr * _decay(settings.schedule, min((step - warmup_steps) / decay_steps, 1))


def _decay(schedule: str, progress: float) -> float:
    if schedule == "linear":
        return 1 - progress
    if schedule == "cosine":
        return _interpolate_cosine(1, 0, progress)
    if schedule == "one-cycle":
        return _interpolate_cosine(1, 1 / 250_000, progress)
    return 1.0


def _interpolate_cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * progress)) / 2
