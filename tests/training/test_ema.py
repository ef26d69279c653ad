"""The moving average of weights, alone and in a training."""

import pytest
import torch
from tiny_training import CPU, SETTINGS, a_task
from torch import nn

from vision_pipeline.training.ema import ModelEma
from vision_pipeline.training.trainer import fit


def test_it_is_the_exponential_moving_average() -> None:
    network = nn.BatchNorm1d(1)
    average = ModelEma(network, 0.5)
    expected = [network.running_mean.item(), network.weight.item()]
    for step in range(40):
        network.running_mean.fill_(step**2)
        network.weight.data.fill_(-step)
        network.num_batches_tracked.fill_(step)
        average.update(network, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = [decay * old + (1 - decay) * new for old, new in zip(expected, (step**2, -step), strict=True)]
    network_average = average.network
    assert [network_average.running_mean.item(), network_average.weight.item()] == pytest.approx(expected, rel=1e-5)
    assert network_average.num_batches_tracked.item() == 39


def test_a_training_keeps_and_validates_the_average_and_trains_the_weights() -> None:
    averaged, plain = (
        fit(task := a_task(0.0), SETTINGS.model_copy(update={"ema": decay, "epochs": 1}), CPU, lambda epoch: None)
        for decay in (0.9, 0.0)
    )
    assert averaged.history[0].train_loss == plain.history[0].train_loss
    assert averaged.history[0].val_loss != plain.history[0].val_loss
    assert not torch.equal(averaged.weights["linear.weight"], plain.weights["linear.weight"])
    assert torch.equal(task.network.linear.weight, plain.weights["linear.weight"])
