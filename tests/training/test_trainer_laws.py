"""Loss, gradients and updates are what the textbooks say, in the code that trains."""

import math

import pytest
import torch
from ruamel.yaml import YAML
from tiny_training import CPU, SETTINGS, a_task
from torch import nn
from torch.nn.functional import cross_entropy, log_softmax, nll_loss, one_hot, softmax

from vision_pipeline.models.build import build_model
from vision_pipeline.training import losses
from vision_pipeline.training.optimizers import build_optimizer
from vision_pipeline.training.trainer import fit

MLP = {"hidden": [128, 64], "activation": "relu", "dropout": 0.0, "batch_norm": False}
CNN = {"channels": [4, 8], "kernel": 3, "padding": 1, "hidden": [16], "activation": "relu", "dropout": 0.0,
       "batch_norm": True}  # fmt: skip


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return build_model("mlp", MLP, [28, 28, 1], 10)


@pytest.fixture
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(64, 1, 28, 28, generator=generator), torch.randint(10, (64,), generator=generator)


def test_the_loss_takes_raw_scores_and_starts_near_that_of_a_guess(network, batch):
    logits = network(batch[0])
    loss = cross_entropy(logits, batch[1])
    assert loss.item() == pytest.approx(math.log(10), abs=0.1)
    assert loss.item() == pytest.approx(nll_loss(log_softmax(logits, 1), batch[1]).item(), abs=1e-6)


@pytest.mark.parametrize(("classes", "floor"), [(10, 1.4612), (2, 0.3133)])
def test_probabilities_fed_as_scores_could_never_reach_a_low_loss(classes, floor):
    targets = torch.arange(classes)
    assert cross_entropy(one_hot(targets).float(), targets).item() == pytest.approx(floor, abs=1e-4)
    assert floor == pytest.approx(math.log(math.e + classes - 1) - 1, abs=1e-4)


def test_every_default_model_ends_in_raw_scores(repository):
    for name, model in YAML(typ="safe").load(repository / "params.yaml")["models"].items():
        own = {key: model[key] for key in model.keys() - {"architecture", "dataset", "inputs", "augmentation"}}
        settings = {key: value for key, value in own.items() if key not in ("normalize", "train")}
        shape = {"mnist": [28, 28, 1], "cifar10": [32, 32, 3], "cats_dogs": [1280]}.get(model["dataset"], [])
        network = build_model(model["architecture"], settings, shape, 10).eval()
        inputs = torch.randn(4, shape[2], *shape[:2]) if len(shape) == 3 else torch.randn(4, *shape)
        scores = network(inputs if shape else torch.arange(4)[:, None]).flatten(0, -2)
        assert not torch.allclose(scores.sum(1), torch.ones(4), atol=1e-2), name


def test_cross_entropy_and_log_softmax_with_nll_have_the_same_gradient(network, batch):
    gradients = []
    for loss in (cross_entropy, lambda logits, targets: nll_loss(log_softmax(logits, 1), targets)):
        network.zero_grad()
        loss(network(batch[0]), batch[1]).backward()
        gradients.append([parameter.grad.clone() for parameter in network.parameters()])
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(*gradients, strict=True))
    assert torch.allclose(softmax(network(batch[0]), 1).sum(1), torch.ones(64), atol=1e-6)


def test_backward_fills_gradients_and_adds_them_up(network, batch):
    assert all(parameter.grad is None for parameter in network.parameters())
    cross_entropy(network(batch[0]), batch[1]).backward()
    once = [parameter.grad.clone() for parameter in network.parameters()]
    cross_entropy(network(batch[0]), batch[1]).backward()
    assert all(torch.allclose(p.grad, 2 * g) for p, g in zip(network.parameters(), once, strict=True))


def test_gradients_agree_with_finite_differences():
    network = build_model("mlp", {**MLP, "hidden": [3], "activation": "tanh"}, [2, 2, 1], 2).double()
    inputs = torch.randn(3, 1, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(network, inputs)
    square = torch.randn(2, 2, requires_grad=True)
    (square**2).mean().backward()
    assert torch.allclose(square.grad, square / 2)


def test_the_loss_of_a_step_is_one_number_with_a_gradient(monkeypatch):
    seen = []

    def watched(*args, **kwargs):
        seen.append(cross_entropy(*args, **kwargs))
        return seen[-1]

    monkeypatch.setattr(losses, "cross_entropy", watched)
    fit(a_task(), SETTINGS.model_copy(update={"epochs": 1}), CPU, lambda epoch: None)
    assert (seen[0].ndim, seen[0].requires_grad) == (0, True)


def test_steps_do_not_keep_the_gradients_of_the_step_before():
    settings = SETTINGS.model_copy(update={"epochs": 1, "optimizer": "sgd", "batch_size": 16, "lr": 0.1})
    task, by_hand = a_task(dropout=0.0), a_task(dropout=0.0)
    fit(task, settings, CPU, lambda epoch: None)
    for batch in by_hand.train.iter_batches(16, 0, 1):
        by_hand.network.zero_grad()
        cross_entropy(by_hand.network(batch.inputs.float()), batch.targets).backward()
        with torch.no_grad():
            for parameter in by_hand.network.parameters():
                parameter -= 0.1 * parameter.grad
    assert torch.allclose(task.network.linear.weight, by_hand.network.linear.weight, atol=1e-6)


@pytest.mark.parametrize(("architecture", "settings"), [("mlp", MLP), ("cnn", CNN)])
def test_one_update_changes_every_trainable_tensor(architecture, settings, batch):
    torch.manual_seed(0)
    network = build_model(architecture, settings, [28, 28, 1], 10)
    before = [parameter.detach().clone() for parameter in network.parameters()]
    optimizer = build_optimizer(network, SETTINGS)
    cross_entropy(network(batch[0]), batch[1]).backward()
    optimizer.step(SETTINGS.lr)
    assert not any(torch.equal(p, b) for p, b in zip(network.parameters(), before, strict=True))


def test_logistic_regression_is_a_network_of_one_layer():
    network = build_model("mlp", {**MLP, "hidden": []}, [28, 28, 1], 10)
    assert len(network.hidden_layers) == 0
    assert sum(isinstance(module, nn.Linear) for module in network.modules()) == 1
