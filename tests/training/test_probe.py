"""The statistics of each layer, and that measuring them changes nothing."""

import csv
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_training import CPU, SETTINGS, a_task
from torch import nn

from vision_pipeline.models.build import build_model
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.probe import collect_layer_stats
from vision_pipeline.training.results import LayerStats, write_layer_stats
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.trainer import fit

DENSE = {"hidden": [16, 8], "activation": "sigmoid", "dropout": 0.3, "batch_norm": True}
SETTINGS_OF = {
    "mlp": DENSE,
    "transfer": DENSE,
    "cnn": DENSE | {"channels": [4, 6], "kernel": 3, "padding": 1},
    "speednet": {"widths": [4, 6], "convolutions": 2, "activation": "relu"},
}
LAYERS = {
    "mlp": ["hidden_layers.0", "hidden_layers.1", "output"],
    "transfer": ["hidden_layers.0", "hidden_layers.1", "output"],
    "cnn": ["convs.0", "convs.1", "hidden_layers.0", "hidden_layers.1", "output"],
    "speednet": ["blocks.0.convs.0", "blocks.0.convs.1", "blocks.1.convs.0", "blocks.1.convs.1", "output"],
}


def task_of(network: nn.Module, inputs: np.ndarray) -> TrainTask:
    targets = np.arange(len(inputs)) % 2
    rows = ArrayDataset(inputs.astype(np.float32), targets, CPU.device)
    return TrainTask(
        name="probed",
        network=network,
        train=rows,
        val=rows,
        train_transform=lambda batch, rows: batch.inputs[rows],
        eval_transform=lambda x: x,
        class_weights=None,
        seed=0,
    )


def built_task(architecture: str, **changes: object) -> TrainTask:
    torch.manual_seed(0)
    network = build_model(architecture, SETTINGS_OF[architecture] | changes, [8, 8, 1], 2)
    return task_of(network, np.random.default_rng(0).normal(size=(40, 1, 8, 8)))


@pytest.mark.parametrize("architecture", SETTINGS_OF)
def test_every_layer_that_trains_is_looked_at_and_nothing_changes(architecture: str) -> None:
    task = built_task(architecture)
    task.network.train()
    for parameter in task.network.parameters():
        parameter.grad = torch.ones_like(parameter)
    before, modes = deepcopy(task.network.state_dict()), [module.training for module in task.network.modules()]
    random = torch.get_rng_state()
    stats = collect_layer_stats(task, 3, 16)
    assert [layer.layer for layer in stats] == LAYERS[architecture]
    assert {layer.epoch for layer in stats} == {3}
    assert all(torch.equal(tensor, before[name]) for name, tensor in task.network.state_dict().items())
    assert [module.training for module in task.network.modules()] == modes
    assert all((parameter.grad == 1).all() for parameter in task.network.parameters())
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(module._forward_hooks for module in task.network.modules())


@pytest.mark.parametrize("architecture", SETTINGS_OF)
def test_gradient_norms_are_those_of_backward_in_evaluation_mode(architecture: str) -> None:
    task = built_task(architecture)
    norms = {layer.layer: layer.gradient_norm for layer in collect_layer_stats(task, 0, 16)}
    inputs, targets = task.train.gather(torch.arange(16))
    nn.functional.cross_entropy(task.network.eval()(inputs), targets).backward()
    for name, norm in norms.items():
        assert norm == pytest.approx(task.network.get_parameter(f"{name}.weight").grad.norm().item(), rel=1e-5)


class FixedLayers(nn.Module):
    """Layers with fixed activations: the inputs, times a row of factors."""

    def __init__(self, activation: nn.Module, factors: list[float]) -> None:
        super().__init__()
        self.first, self.activation, self.output = nn.Linear(1, len(factors), bias=False), activation, nn.Linear(4, 2)
        self.first.weight = nn.Parameter(torch.tensor(factors)[:, None])

    def forward(self, inputs):
        return self.output(self.activation(self.first(inputs)))


@pytest.mark.parametrize(
    ("activation", "saturated", "dead"),
    [
        # g' < 0.01 where |z| > 4.585 for the sigmoid, > 2.993 for tanh
        (nn.Sigmoid(), 0.25, None),
        (nn.Tanh(), 0.5, None),
        (nn.ReLU(), None, 0.5),
        (nn.GELU(), None, None),
    ],
)
def test_shares_of_saturated_answers_and_dead_units(activation: nn.Module, saturated, dead) -> None:
    task = task_of(FixedLayers(activation, [-4.6, 2.9, 3.1, -1.0]), np.ones((6, 1)))
    first, output = collect_layer_stats(task, 0, 6)
    assert (first.layer, first.saturated, first.dead) == ("first", saturated, dead)
    assert (output.layer, output.saturated, output.dead) == ("output", None, None)


def test_a_unit_that_answers_a_single_input_is_not_dead() -> None:
    task = task_of(FixedLayers(nn.ReLU(), [1.0, 1.0, -1.0, 0.0]), np.array([[1.0]] * 5 + [[-1.0]]))
    assert collect_layer_stats(task, 0, 5)[0].dead == 0.5
    assert collect_layer_stats(task, 0, 6)[0].dead == 0.25


def test_filters_are_the_units_of_a_convolution() -> None:
    network = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 2))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, 1.0, 1.0, -1.0]).view(4, 1, 1, 1))
        network[0].bias.zero_()
    images = np.ones((6, 1, 3, 3))
    images[0, 0, 0, 0] = 0.0
    assert collect_layer_stats(task_of(network, images), 0, 6)[0].dead == 0.25


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.cells, self.output = nn.LSTM(3, 5, 2, batch_first=True, dropout=0.5), nn.Linear(5, 2)

    def forward(self, inputs):
        return self.output(self.cells(inputs)[0][:, -1])


def test_a_recurrent_layer_is_one_layer_with_all_of_its_matrices() -> None:
    task = task_of(Recurrent(), np.random.default_rng(0).normal(size=(6, 4, 3)))
    cells, output = collect_layer_stats(task, 0, 6)
    assert (cells.layer, output.layer) == ("cells", "output")
    inputs, targets = task.train.gather(torch.arange(6))
    nn.functional.cross_entropy(task.network.eval()(inputs), targets).backward()
    squares = sum(one.grad.square().sum() for one in task.network.cells.parameters() if one.ndim > 1)
    assert cells.gradient_norm == pytest.approx(float(squares) ** 0.5, rel=1e-5)


def test_only_what_trains_is_reported_and_a_frozen_layer_keeps_its_activation() -> None:
    network = FixedLayers(nn.ReLU(), [1.0] * 4)
    network.first.requires_grad_(False)
    assert [layer.layer for layer in collect_layer_stats(task_of(network, np.ones((6, 1))), 0, 6)] == ["output"]


def test_the_loop_looks_before_the_first_step_and_after_each_epoch() -> None:
    outcome = fit(a_task(), SETTINGS, CPU, lambda epoch: None)
    assert [(layer.epoch, layer.layer) for layer in outcome.layers] == [(epoch, "linear") for epoch in range(4)]
    assert outcome.layers[0] == collect_layer_stats(a_task(), 0, SETTINGS.batch_size)[0]


def test_the_look_changes_no_bit_of_a_training(monkeypatch) -> None:
    looked = fit(a_task(), SETTINGS, CPU, lambda epoch: None)
    monkeypatch.setattr("vision_pipeline.training.trainer.collect_layer_stats", lambda task, epoch, rows: [])
    blind = fit(a_task(), SETTINGS, CPU, lambda epoch: None)
    assert looked.history == blind.history
    assert all(torch.equal(tensor, blind.weights[name]) for name, tensor in looked.weights.items())


def test_it_takes_no_more_rows_than_256_or_a_batch() -> None:
    row_counts = []
    task = a_task()
    counting = replace(task, eval_transform=lambda inputs: (row_counts.append(len(inputs)), inputs.float())[1])
    fit(counting, SETTINGS.model_copy(update={"epochs": 1}), CPU, lambda epoch: None)
    assert row_counts == [SETTINGS.batch_size, 16, SETTINGS.batch_size]  # before, validation, after
    row_counts.clear()
    large = task_of(nn.Linear(1, 2), np.ones((300, 1)))
    collect_layer_stats(replace(large, eval_transform=counting.eval_transform), 0, 1000)
    assert row_counts == [256]


def test_they_are_written_as_a_table_with_nothing_where_nothing_is(tmp_path) -> None:
    write_layer_stats(
        tmp_path / "layers.csv",
        [
            LayerStats(0, "output", 1.25, saturated=None, dead=None),
            LayerStats(1, "first", 0.5, saturated=0.25, dead=None),
        ],
    )
    with (tmp_path / "layers.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["epoch", "layer", "gradient_norm", "saturated", "dead"]
    assert rows == [["0", "output", "1.25", "", ""], ["1", "first", "0.5", "0.25", ""]]
