"""Derivatives of the activations"""

import torch
from torch import Tensor

from vision_pipeline.cli.tour.tour_data import TourData
from vision_pipeline.models.layers import get_activation


def _compute_slope(name: str, points: list[float]) -> Tensor:
    """Compute the derivative of an activation by autograd at each of the points, float64."""
    z = torch.tensor(points, dtype=torch.float64, requires_grad=True)
    get_activation(name)(z).sum().backward()
    assert z.grad is not None
    return z.grad


def sigmoid(data: TourData) -> None:
    """The derivative is the slope. Of sigmoid it is at most 1/4, at 0; at 10 and -10 it is small, but not 0."""
    print("at 0:", get_activation("sigmoid")(torch.tensor(0.0)).item(), _compute_slope("sigmoid", [0.0]).item())
    print("at -10 and 10:", [f"{slope:.4e}" for slope in _compute_slope("sigmoid", [-10.0, 10.0]).tolist()])


def tanh(data: TourData) -> None:
    """tanh is a stretched sigmoid, tanh(z) = 2 sigmoid(2z) - 1: four times as steep at 0, and it saturates sooner."""
    print("at 0:", _compute_slope("tanh", [0.0]).item(), "at 10:", f"{_compute_slope('tanh', [10.0]).item():.2e}")
    print(torch.allclose(_compute_slope("tanh", [-1.0, 0.5, 2.0]), 4 * _compute_slope("sigmoid", [-2.0, 1.0, 4.0])))


def relu(data: TourData) -> None:
    """The slope of relu is 0 or 1 and never shrinks a gradient on its way; leaky relu keeps 0.01 below 0."""
    print(_compute_slope("relu", [-2.0, 0.0, 2.0]).tolist(), _compute_slope("leaky_relu", [-2.0, 2.0]).tolist())
