"""Derivatives of the activations"""

import torch
from torch import Tensor

from stages.commands.tour_steps.material import Material
from stages.models.layers import activation


def _slope(name: str, at: list[float]) -> Tensor:
    """The derivative of an activation by autograd, float64, at each of these numbers."""
    z = torch.tensor(at, dtype=torch.float64, requires_grad=True)
    activation(name)(z).sum().backward()
    assert z.grad is not None
    return z.grad


def sigmoid(given: Material) -> None:
    """The derivative is the slope. Of sigmoid it is at most 1/4, at 0; at 10 and -10 it is small, but not 0."""
    print("at 0:", activation("sigmoid")(torch.tensor(0.0)).item(), _slope("sigmoid", [0.0]).item())
    print("at -10 and 10:", [f"{slope:.4e}" for slope in _slope("sigmoid", [-10.0, 10.0]).tolist()])


def tanh(given: Material) -> None:
    """tanh is a stretched sigmoid, tanh(z) = 2 sigmoid(2z) - 1: four times as steep at 0, and it saturates sooner."""
    print("at 0:", _slope("tanh", [0.0]).item(), "at 10:", f"{_slope('tanh', [10.0]).item():.2e}")
    print(torch.allclose(_slope("tanh", [-1.0, 0.5, 2.0]), 4 * _slope("sigmoid", [-2.0, 1.0, 4.0])))


def relu(given: Material) -> None:
    """The slope of relu is 0 or 1 and never shrinks a gradient on its way; leaky relu keeps 0.01 below 0."""
    print(_slope("relu", [-2.0, 0.0, 2.0]).tolist(), _slope("leaky_relu", [-2.0, 2.0]).tolist())
