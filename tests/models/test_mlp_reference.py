"""An MLP written out in numpy, layer after layer, against torch's (the seed's z1, a1, z2, a2, ...)."""

import numpy as np
import pytest
import torch

from vision_pipeline.models.build import build_model

SIZES = [3, 5, 4, 2]


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


ACTIVATIONS = {  # g, and g' from z
    "sigmoid": (sigmoid, lambda z: sigmoid(z) * (1 - sigmoid(z))),
    "tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2),
    "relu": (lambda z: np.maximum(z, 0), lambda z: (z > 0).astype(float)),
}


def forward(weights: list, biases: list, x: np.ndarray, g) -> tuple[list, list]:
    """z and a of each layer; samples are rows, at once, layers are a loop: each needs the one before."""
    z, a = [], [x]
    for w, b in zip(weights, biases, strict=True):
        z.append(a[-1] @ w.T + b)
        a.append(g(z[-1]))
    return z, a


def backward(weights: list, z: list, a: list, labels: np.ndarray, slope) -> tuple[list, list]:
    """The gradients of the mean cross-entropy by weights and biases, from the last layer to the first."""
    shares = np.exp(z[-1] - z[-1].max(1, keepdims=True))
    dz = (shares / shares.sum(1, keepdims=True) - np.eye(SIZES[-1])[labels]) / len(labels)
    dws, dbs = [], []
    for layer in reversed(range(len(weights))):
        dws.insert(0, dz.T @ a[layer])
        dbs.insert(0, dz.sum(0))
        if layer:
            dz = dz @ weights[layer] * slope(z[layer - 1])
    return dws, dbs


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("samples", [1, 64])
def test_logits_and_gradients_are_those_of_torch(activation: str, samples: int) -> None:
    torch.manual_seed(0)
    settings = {"hidden": SIZES[1:-1], "activation": activation, "dropout": 0.0, "batch_norm": False}
    network = build_model("mlp", settings, SIZES[:1], SIZES[-1]).double()
    layers = [*network.hidden_layers, network.output]
    weights, biases = ([getattr(layer, kind).detach().numpy() for layer in layers] for kind in ("weight", "bias"))
    random = np.random.default_rng(0)
    x, labels = random.normal(size=(samples, SIZES[0])), random.integers(SIZES[-1], size=samples)
    g, slope = ACTIVATIONS[activation]

    logits = network(torch.from_numpy(x))
    torch.nn.functional.cross_entropy(logits, torch.from_numpy(labels)).backward()
    z, a = forward(weights, biases, x, g)
    dws, dbs = backward(weights, z, a, labels, slope)

    assert len(z) == len(layers) == len(SIZES) - 1
    assert np.abs(z[-1] - logits.detach().numpy()).max() < 1e-12
    for layer, dw, db in zip(layers, dws, dbs, strict=True):
        assert dw.shape == layer.weight.shape
        assert np.abs(dw - layer.weight.grad.numpy()).max() < 1e-12
        assert np.abs(db - layer.bias.grad.numpy()).max() < 1e-12


def test_a_batch_is_its_samples_one_by_one() -> None:
    torch.manual_seed(0)
    settings = {"hidden": SIZES[1:-1], "activation": "tanh", "dropout": 0.0, "batch_norm": False}
    network = build_model("mlp", settings, SIZES[:1], SIZES[-1]).double()
    x = torch.randn(16, SIZES[0], dtype=torch.float64)
    assert (network(x) - torch.cat([network(row[None]) for row in x])).abs().max() < 1e-12
