"""The optimizer of a network, Muon, and the learning rate over time.

Muon is momentum whose matrix is made orthogonal before it is taken as a step. Source: Jordan et al., Muon: An optimizer
for hidden layers in neural networks (kellerjordan.github.io/posts/muon); coefficients and number of the Newton-Schulz
steps as in its airbench94_muon. `torch.optim.Muon` takes matrices only; here a filter bank (out, in, height, width) is
the matrix (out, in * height * width).
"""

import math

import torch
from torch import Tensor, nn

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.training.fused_optimizers import (
    FusedAdam,
    FusedSGD,
    GroupOptimizer,
    LearningRate,
    collect_grads,
)

_NEWTON_SCHULZ_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 3
_MUONS_SGD_MOMENTUM = 0.85  # of the parameters that Muon leaves to SGD, as in its source


class Optimizer:
    """The optimizers of a network's parameter groups; a group's learning rate is the schedule's times its scale."""

    def __init__(self, param_groups: dict[str, GroupOptimizer], lr_scales: dict[str, float]) -> None:
        self.param_groups, self.lr_scales = param_groups, lr_scales

    def zero_grad(self) -> None:
        """Delete the gradients."""
        for optimizer in self.param_groups.values():
            for parameter in optimizer.parameters:
                parameter.grad = None

    def step(self, lr: LearningRate) -> None:
        """Update the weights at the learning rate `lr` of the schedule."""
        for group, optimizer in self.param_groups.items():
            optimizer.step(lr * self.lr_scales[group])

    def state_dict(self) -> dict[str, list[Tensor]]:
        """Return all that later steps depend on."""
        return {group: optimizer.state for group, optimizer in self.param_groups.items()}

    def load_state_dict(self, states: dict[str, list[Tensor]]) -> None:
        """Resume from a `state_dict`."""
        for group, optimizer in self.param_groups.items():
            for tensor, saved in zip(optimizer.state, states[group], strict=True):
                tensor.copy_(saved)


class Muon:
    """Nesterov momentum made orthogonal; weights keep the norm of an orthogonal matrix, the root of their rows."""

    def __init__(self, parameters: list[nn.Parameter], momentum: float) -> None:
        self.parameters, self._momentum = parameters, momentum
        self.state = [torch.zeros_like(weight) for weight in parameters]

    @torch.no_grad()
    def step(self, lr: LearningRate) -> None:
        """Update the parameters by their gradients."""
        for weight, gradient, momentum_buffer in zip(
            self.parameters, collect_grads(self.parameters), self.state, strict=True
        ):
            momentum_buffer.mul_(self._momentum).add_(gradient)
            update = newton_schulz(gradient.add(momentum_buffer, alpha=self._momentum).flatten(1))
            weight.mul_(len(weight) ** 0.5 / weight.norm())
            weight.sub_(lr * update.view_as(weight))


def newton_schulz(matrix: Tensor) -> Tensor:
    """Return nearly the nearest orthogonal matrix: the same directions, singular values between about 0.5 and 1.5.

    The Newton-Schulz steps are computed in bfloat16, which is enough for a step's direction.

    Args:
        matrix: float (rows, columns).
    """
    a, b, c = _NEWTON_SCHULZ_COEFFICIENTS
    wide = matrix.bfloat16() if len(matrix) <= matrix.shape[1] else matrix.bfloat16().T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        squared = wide @ wide.T
        polynomial = torch.addmm(squared, squared, squared, beta=b, alpha=c)
        wide = torch.addmm(wide, polynomial, wide, beta=a)
    return (wide if len(matrix) <= matrix.shape[1] else wide.T).to(matrix.dtype)


def build_optimizer(network: nn.Module, settings: TrainConfig) -> Optimizer:
    """Return the optimizer of a network's trainable parameters; output layer and biases have their own learning rates.

    Muon is for maps between hidden layers. It leaves the output layer and the biases to SGD with Nesterov momentum,
    whose decay is divided by the learning rate, so that `weight_decay` is the share that a step removes at the peak
    rate. Weight decay is applied to matrices and filters only: biases and batch-norm scales are few, and
    pulling them to zero only hurts (He et al. 2019, arXiv 1812.01187, section 3.1).
    """
    lr_scales = {"hidden": 1.0, "head": settings.head_lr, "biases": settings.bias_lr}
    param_groups = {}
    for group, parameters in _split_param_groups(network).items():
        weight_decay = settings.weight_decay if group != "biases" else 0.0
        param_groups[group] = _make_group_optimizer(
            group, parameters, weight_decay=weight_decay, lr_scale=lr_scales[group], settings=settings
        )
    return Optimizer(param_groups, lr_scales)


def _make_group_optimizer(
    group: str, parameters: list[nn.Parameter], *, weight_decay: float, lr_scale: float, settings: TrainConfig
) -> GroupOptimizer:
    if settings.optimizer == "muon":
        if group == "hidden":
            return Muon(parameters, settings.momentum)
        return FusedSGD(parameters, _MUONS_SGD_MOMENTUM, weight_decay / (settings.lr * lr_scale))
    if settings.optimizer == "sgd":
        return FusedSGD(parameters, settings.momentum, weight_decay)
    return FusedAdam(parameters, weight_decay, decoupled=settings.optimizer == "adamw")


def _split_param_groups(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the trainable parameters by group: the hidden maps, the output layer, the biases."""
    groups: dict[str, list[nn.Parameter]] = {"hidden": [], "head": [], "biases": []}
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            group = "biases" if parameter.ndim <= 1 else "head" if name.startswith("output.") else "hidden"
            groups[group].append(parameter)
    return {group: parameters for group, parameters in groups.items() if parameters}


def lr_at(step: int, total_steps: int, settings: TrainConfig) -> float:
    """Return the learning rate of a step.

    `warmup` is the share of the steps in which the rate rises; `one-cycle` rises and falls along
    cosines, from 1/25 of the rate to 1/250,000 (Smith & Topin 2018, arXiv 1708.07120; the shape of
    torch's OneCycleLR), the others rise in a straight line.

    Args:
        step: number of the step, from 0.
        total_steps: number of steps of the whole training.
        settings: settings with the peak rate `lr`, `schedule` and `warmup`.
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
