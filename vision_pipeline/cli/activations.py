"""`vision activations`: each activation beside its derivative, the factor by which it multiplies a gradient.

Each derivative is computed in three ways that must agree: by formula, by autograd and by finite differences.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from torch import Tensor

_DIFFERENCE_STEP = 1e-5  # for finite differences: a smaller one is lost in rounding, a larger one in curvature
_KINK_RADIUS = 0.01  # no finite differences nearer to 0, where relu and leaky relu have no derivative
_TABLE_POINTS = (-10.0, -1.0, 0.0, 1.0, 10.0)


def activations(
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("activations.png"),
) -> None:
    """Draw the activations that params.yaml may name, and print their derivatives."""
    import torch

    z = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    derivatives_by_name = {name: compute_derivatives(name, z) for name in DERIVATIVE_FORMULAS}
    points = torch.tensor(_TABLE_POINTS, dtype=torch.float64)
    _plot_activations(output, derivatives_by_name)
    typer.echo(f"{'derivative at':14}" + "".join(f"{point:>12g}" for point in _TABLE_POINTS) + f"{'largest gap':>14}")
    for name, derivatives in derivatives_by_name.items():
        slopes = "".join(f"{slope:12.5g}" for slope in compute_derivatives(name, points).autograd)
        typer.echo(f"{name:14}{slopes}{derivatives.gap:14.1e}")
    typer.echo(f"largest gap: between formula, autograd and finite differences; {output} shows the curves")


def _sigmoid_derivative(z: "Tensor") -> "Tensor":
    return z.sigmoid() * (-z).sigmoid()


def _gelu_derivative(z: "Tensor") -> "Tensor":
    """Compute the normal distribution function plus z times its density; Hendrycks and Gimpel, arXiv 1606.08415."""
    import torch

    density = torch.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
    return torch.special.ndtr(z) + z * density


DERIVATIVE_FORMULAS: "dict[str, Callable[[Tensor], Tensor]]" = {
    "sigmoid": _sigmoid_derivative,
    "tanh": lambda z: 1 / z.cosh() ** 2,
    "relu": lambda z: (z > 0).to(z.dtype),
    "leaky_relu": lambda z: (z > 0).to(z.dtype).clamp(min=0.01),
    "gelu": _gelu_derivative,
    "silu": lambda z: z.sigmoid() + z * _sigmoid_derivative(z),
}


@dataclass(frozen=True)
class ActivationDerivatives:
    """An activation and its derivative at some points.

    Attributes:
        z: the points, float64 (N,).
        values: the activation, float64 (N,).
        formula, autograd: its derivative, float64 (N,) each.
        gap: the largest difference between any two of the three ways, away from kinks.
    """

    z: "Tensor"
    values: "Tensor"
    formula: "Tensor"
    autograd: "Tensor"
    gap: float


def compute_derivatives(name: str, z: "Tensor") -> ActivationDerivatives:
    """Compute the activation `name` and its derivative at `z`, float64 (N,)."""
    import torch

    from vision_pipeline.models.layers import get_activation

    function = get_activation(name)
    leaf = z.clone().requires_grad_()
    values = function(leaf)
    (autograd,) = torch.autograd.grad(values.sum(), leaf)
    with torch.no_grad():
        formula = DERIVATIVE_FORMULAS[name](z)
        differences = (function(z + _DIFFERENCE_STEP) - function(z - _DIFFERENCE_STEP)) / (2 * _DIFFERENCE_STEP)
        smooth = z.abs() > _KINK_RADIUS
        estimates = torch.stack([formula, autograd, differences])[:, smooth]
        gap = (estimates.amax(0) - estimates.amin(0)).max().item()
    return ActivationDerivatives(z, values.detach(), formula, autograd, gap)


def _plot_activations(path: Path, derivatives_by_name: dict[str, ActivationDerivatives]) -> None:
    from matplotlib.figure import Figure

    from vision_pipeline.evaluation.plot_style import BLUE, ORANGE, plot_style, save_figure

    with plot_style():
        figure = Figure(figsize=(9.6, 5.4), layout="constrained")
        panels = figure.subplots(2, 3, sharex=True).ravel()
        for axes, (name, derivatives) in zip(panels, derivatives_by_name.items(), strict=True):
            axes.plot(derivatives.z, derivatives.values, color=BLUE, label="activation g(z)")
            axes.plot(derivatives.z, derivatives.formula, color=ORANGE, label="derivative g'(z)")
            axes.set_title(name)
            axes.set_ylim(-1.15, 2.0)
            axes.set_xlim(-10, 10)
            axes.grid()
        for axes in figure.axes[3:]:
            axes.set_xlabel("z")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
        save_figure(figure, path)
