"""The optimizer and the learning rate over time."""

import math

import torch
from torch import nn

from stages.params.schema import Train


def build_optimizer(network: nn.Module, settings: Train) -> torch.optim.Optimizer:
    """The optimizer of a network's trainable parameters.

    Weight decay holds for matrices and filters only: biases and batch-norm scales are few, and
    pulling them to zero only hurts (He et al. 2019, arXiv 1812.01187, section 3.1).
    """
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in trainable if p.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    if settings.optimizer == "sgd":
        nesterov = settings.momentum > 0
        return torch.optim.SGD(groups, lr=settings.lr, momentum=settings.momentum, nesterov=nesterov, fused=True)
    kind = torch.optim.Adam if settings.optimizer == "adam" else torch.optim.AdamW
    return kind(groups, lr=settings.lr, fused=True)


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


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of the optimizer the same rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate
