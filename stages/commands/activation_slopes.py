"""The derivative of each activation, in three ways that must agree: by formula, by autograd, by finite differences."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from stages.models.layers import activation

_STEP = 1e-5  # of finite differences: a smaller one is lost in rounding, a larger one in curvature
_KINK = 0.01  # finite differences are not taken nearer to 0, where two of them have none


def _sigmoid(z: Tensor) -> Tensor:
    return torch.sigmoid(z) * torch.sigmoid(-z)


def _gelu(z: Tensor) -> Tensor:
    """z's density times z, and its distribution function; Hendrycks and Gimpel, arXiv 1606.08415."""
    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.special.ndtr(z) + z * density


FORMULAS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": _sigmoid,
    "tanh": lambda z: 1 / torch.cosh(z) ** 2,
    "relu": lambda z: (z > 0).to(z.dtype),
    "leaky_relu": lambda z: (z > 0).to(z.dtype).clamp(min=0.01),
    "gelu": _gelu,
    "silu": lambda z: torch.sigmoid(z) + z * _sigmoid(z),
}


@dataclass(frozen=True)
class Slopes:
    """An activation and its derivative.

    Attributes:
        z: float64 (N,), where they are looked at.
        values: float64 (N,), the activation.
        formula, autograd: float64 (N,), its derivative.
        gap: the largest difference between any two of the three ways, away from kinks.
    """

    z: Tensor
    values: Tensor
    formula: Tensor
    autograd: Tensor
    gap: float


def slopes(name: str, z: Tensor) -> Slopes:
    """Those of the activation `name` at `z`, float64 (N,)."""
    function = activation(name)
    at = z.clone().requires_grad_()
    values = function(at)
    (autograd,) = torch.autograd.grad(values.sum(), at)
    with torch.no_grad():
        formula, differences = FORMULAS[name](z), (function(z + _STEP) - function(z - _STEP)) / (2 * _STEP)
        smooth = z.abs() > _KINK
        ways = torch.stack([formula, autograd, differences])[:, smooth]
        gap = (ways.amax(0) - ways.amin(0)).max().item()
    return Slopes(z, values.detach(), formula, autograd, gap)
