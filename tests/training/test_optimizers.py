"""The learning rate over time, and the parameter groups of an optimizer."""

import pytest
import torch
from torch import nn

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.training.optimizers import build_optimizer, lr_at

SETTINGS = {
    "epochs": 1, "batch_size": 4, "optimizer": "sgd", "lr": 1.0, "head_lr": 1.0, "bias_lr": 1.0,
    "momentum": 0.0, "weight_decay": 0.0, "schedule": "constant", "warmup": 0.0, "label_smoothing": 0.0,
    "mixup": 0.0, "cutmix": 0.0, "class_weights": "none", "clip_norm": 0.0, "ema": 0.0, "compile": False, "patience": 0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("schedule", "warmup", "rates"),
    [
        ("constant", 0.0, [1, 1, 1, 1, 1]),
        ("linear", 0.0, [1, 0.75, 0.5, 0.25, 0]),
        ("cosine", 0.0, [1, 0.853553, 0.5, 0.146447, 0]),
        ("constant", 0.4, [1 / 3, 2 / 3, 1, 1, 1]),
        ("one-cycle", 0.4, [0.28, 0.76, 1, 0.500002, 4e-6]),
    ],
)
def test_learning_rates(schedule, warmup, rates):
    settings = TrainConfig(**SETTINGS | {"schedule": schedule, "warmup": warmup})
    assert [lr_at(step, 5, settings) for step in range(5)] == pytest.approx(rates, abs=1e-6)


def test_sgd_subtracts_rate_times_gradient_exactly():
    network = nn.Linear(2, 1)
    before, optimizer = network.weight.detach().clone(), build_optimizer(network, TrainConfig(**SETTINGS | {"lr": 0.5}))
    network(torch.tensor([[1.0, -2.0]])).sum().backward()
    optimizer.step(0.5)
    assert torch.equal(network.weight.detach(), before - 0.5 * torch.tensor([[1.0, -2.0]]))


def test_biases_and_frozen_parameters_are_left_out():
    network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 2))
    network[0].requires_grad_(False)
    built = build_optimizer(network, TrainConfig(**SETTINGS | {"weight_decay": 0.1, "optimizer": "adamw"}))
    groups = {
        name: (sum(p.numel() for p in group.parameters), group.weight_decay)
        for name, group in built.param_groups.items()
    }
    assert groups == {"hidden": (6, 0.1), "biases": (2, 0)}
