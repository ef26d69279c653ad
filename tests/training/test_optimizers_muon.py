"""Muon, and which part of a network each optimizer gets."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.models.build import build_model
from vision_pipeline.training.fused_optimizers import FusedAdam, FusedSGD
from vision_pipeline.training.optimizers import Muon, build_optimizer, newton_schulz

SETTINGS = {
    "epochs": 1, "batch_size": 4, "optimizer": "muon", "lr": 0.2, "head_lr": 0.5, "bias_lr": 10.0, "momentum": 0.6,
    "weight_decay": 0.01, "schedule": "constant", "warmup": 0.0, "label_smoothing": 0.0, "class_weights": "none",
    "mixup": 0.0, "cutmix": 0.0, "clip_norm": 0.0, "ema": 0.0, "compile": False, "patience": 0,
}  # fmt: skip


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**31))
def test_a_matrix_becomes_nearly_orthogonal_and_keeps_its_directions(rows, columns, seed):
    # well conditioned: three steps do not lift a singular value that is nearly 0
    generator = torch.Generator().manual_seed(seed)
    left, _ = torch.linalg.qr(torch.randn(rows, rows, generator=generator))
    right, _ = torch.linalg.qr(torch.randn(columns, columns, generator=generator))
    rank = min(rows, columns)
    values = 1 + torch.rand(rank, generator=generator)
    matrix = left[:, :rank] @ torch.diag(values) @ right[:rank]
    orthogonal = newton_schulz(matrix)
    assert orthogonal.shape == matrix.shape
    inside = left[:, :rank].T @ orthogonal @ right[:rank].T
    assert inside.diagonal().min() > 0.35
    assert inside.diagonal().max() < 1.6
    assert (inside - torch.diag(inside.diagonal())).abs().max() < 0.1


def test_the_scale_of_a_gradient_does_not_matter():
    matrix = torch.randn(8, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(newton_schulz(matrix * 1024), newton_schulz(matrix))


def test_a_step_by_hand():
    weight = nn.Parameter(torch.eye(2).view(2, 2, 1, 1) * 3)
    weight.grad = torch.tensor([[2.0, 0.0], [0.0, 2.0]]).view(2, 2, 1, 1)
    Muon([weight], momentum=0.5).step(0.1)
    # the norm becomes the root of the rows, so 1 on the diagonal, less a tenth of the orthogonal gradient
    step = newton_schulz(torch.eye(2))[0, 0].item()
    torch.testing.assert_close(weight.detach().flatten(1), torch.eye(2) * (1 - 0.1 * step))
    assert 0.5 < step < 1.5


def groups(optimizer: str) -> dict[str, tuple[type, int, float, float]]:
    """Return optimizer, number of parameters, scale of the learning rate and weight decay by group of a SpeedNet."""
    network = build_model("speednet", {"widths": [4, 8], "convolutions": 1, "activation": "gelu"}, [12, 12, 1], 10)
    built = build_optimizer(network, TrainConfig(**SETTINGS | {"optimizer": optimizer}))
    return {
        group: (type(update), sum(p.numel() for p in update.parameters), built.lr_scales[group],
                getattr(update, "weight_decay", 0.0))
        for group, update in built.param_groups.items()
    }  # fmt: skip


def test_muon_gets_the_filters_and_sgd_the_rest():
    filters, head, biases = 8 * 4 * 9 + 4 * 8 * 9, 8 * 10, 8 + 4 + 8  # the whitening filters are not trained
    assert groups("muon") == {
        "hidden": (Muon, filters, 1.0, 0.0),
        "head": (FusedSGD, head, 0.5, pytest.approx(0.01 / (0.2 * 0.5))),
        "biases": (FusedSGD, biases, 10.0, 0.0),
    }


def test_other_optimizers_get_everything_in_the_same_parts():
    expected = {"hidden": (576, 1.0, 0.01), "head": (80, 0.5, 0.01), "biases": (20, 10.0, 0.0)}
    assert groups("adamw") == {part: (FusedAdam, *rest) for part, rest in expected.items()}


def test_a_network_without_hidden_layers_is_left_to_sgd():
    built = build_optimizer(nn.ModuleDict({"output": nn.Linear(3, 2)}), TrainConfig(**SETTINGS))
    assert {type(update) for update in built.param_groups.values()} == {FusedSGD}


def test_weight_decay_of_the_output_layer_is_the_share_that_a_step_takes():
    network = nn.ModuleDict({"output": nn.Linear(3, 2, bias=False)})
    before = network["output"].weight.detach().clone()
    network["output"].weight.grad = torch.zeros(2, 3)
    build_optimizer(network, TrainConfig(**SETTINGS)).step(0.2)
    # Nesterov's momentum adds 0.85 of the first step to it
    torch.testing.assert_close(network["output"].weight.detach(), before * (1 - 0.01 * 1.85))
