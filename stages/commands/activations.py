"""`vision activations`: each activation beside its derivative, the slope by which a gradient is multiplied."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.project.console import say

if TYPE_CHECKING:
    from stages.commands.activation_slopes import Slopes

_AT = (-10.0, -1.0, 0.0, 1.0, 10.0)  # in the table


def activations(
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("activations.png"),
) -> None:
    """Draw the activations that params.yaml may name, and print their derivatives."""
    import torch

    from stages.commands.activation_slopes import FORMULAS, slopes

    z = torch.linspace(-10, 10, 2001, dtype=torch.float64)
    found = {name: slopes(name, z) for name in FORMULAS}
    at = torch.tensor(_AT, dtype=torch.float64)
    _draw(output, found)
    say(f"{'derivative at':14}" + "".join(f"{place:>12g}" for place in _AT) + f"{'largest gap':>14}")
    for name, one in found.items():
        say(f"{name:14}" + "".join(f"{slope:12.5g}" for slope in slopes(name, at).autograd) + f"{one.gap:14.1e}")
    say(f"largest gap: between formula, autograd and finite differences; {output} shows the curves")


def _draw(path: Path, found: dict[str, "Slopes"]) -> None:
    from matplotlib.figure import Figure

    from stages.evaluation.style import BLUE, ORANGE, look, save

    with look():
        figure = Figure(figsize=(9.6, 5.4), layout="constrained")
        for axes, (name, one) in zip(figure.subplots(2, 3, sharex=True).ravel(), found.items(), strict=True):
            axes.plot(one.z, one.values, color=BLUE, label="activation g(z)")
            axes.plot(one.z, one.formula, color=ORANGE, label="derivative g'(z)")
            axes.set_title(name)
            axes.set_ylim(-1.15, 2.0)
            axes.set_xlim(-10, 10)
            axes.grid()
        for axes in figure.axes[3:]:
            axes.set_xlabel("z")
        figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
        save(figure, path)
