"""`vision gradients`: how far back the gradient of a recurrent model reaches, as a table and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stages.commands.predict import checkpoint_path
from stages.datasets.format import open_set
from stages.project.console import Refusal, say
from stages.project.paths import PREPARED

if TYPE_CHECKING:
    from stages.models.checkpoint import Checkpoint

_LENGTHS = (1, 2, 5, 10, 20, 50, 100)
_SEQUENCES = 64


def gradients(
    model: Annotated[str, typer.Argument(help="A checkpoint.pth, or the name of an exported model.")],
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("gradients.png"),
) -> None:
    """Print the length of the loss's gradient with respect to the first symbol, by the number of steps after it."""
    from stages.models.checkpoint import load_checkpoint, reads_symbols

    checkpoint = load_checkpoint(checkpoint_path(model))
    if not reads_symbols(checkpoint):
        raise Refusal(f"{checkpoint.name} is no recurrent model of a text or of sequences")
    found = measured(checkpoint, PREPARED / str(checkpoint.training.get("dataset")))
    say("steps  gradient")
    for steps, norm in found.items():
        say(f"{steps:>5}  {norm:.3e}")
    _draw(output, checkpoint.name, found)


def measured(checkpoint: "Checkpoint", folder: Path) -> dict[int, float]:
    """By the number of steps, `first_input_gradient` on the test split of the data set in `folder`.

    Of a text the sequences are pieces of it, with the symbol that follows as the target; of sequences their beginnings,
    with their own target.

    Raises:
        Refusal: the data set is not there, or has other symbols than the model.
    """
    import numpy as np
    import torch

    from stages.models.checkpoint import rebuild
    from stages.models.gradients import first_input_gradient

    data = open_set(folder)
    if (checkpoint.input_shape, checkpoint.class_names) != (data.about.shape, data.about.class_names):
        raise Refusal(f"{checkpoint.name} was trained on other symbols or lengths than {folder} has; train it again")
    stored = (data.inputs("test"), data.targets("test"))
    symbols, targets = (torch.from_numpy(np.array(one).astype(np.int64)) for one in stored)
    network: Any = rebuild(checkpoint)
    if text := symbols.ndim == 1:
        longest = min(_LENGTHS[-1], len(symbols))
        apart = max(1, (len(symbols) - longest) // _SEQUENCES)
        symbols, targets = (one.unfold(0, longest, apart) for one in (symbols, targets))
    symbols, targets, found = symbols[:_SEQUENCES], targets[:_SEQUENCES], {}
    for steps in (length for length in _LENGTHS if length <= symbols.shape[1]):
        wanted = targets[:, steps - 1] if text else targets
        found[steps] = first_input_gradient(network, symbols[:, :steps], wanted)
    return found


def _draw(path: Path, name: str, found: dict[int, float]) -> None:
    from matplotlib.figure import Figure

    from stages.evaluation.style import BLUE, look, save

    with look():
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.semilogy(list(found), list(found.values()), "o-", color=BLUE)
        axes.yaxis.set_major_formatter("{x:.0e}")
        axes.set_title(f"{name}: the gradient at the first symbol")
        axes.set_xlabel("steps")
        axes.set_ylabel("length of the gradient")
        axes.grid(axis="y")
        save(figure, path)
