"""`vision gradients`: how far back the gradient of a recurrent model reaches, as a table and as a picture."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vision_pipeline.cli.checkpoints import get_prepared_dir, resolve_checkpoint
from vision_pipeline.core.errors import DataError, UserError
from vision_pipeline.data.format import open_dataset

if TYPE_CHECKING:
    from vision_pipeline.models.checkpoint import Checkpoint

_STEP_COUNTS = (1, 2, 5, 10, 20, 50, 100)
_NUM_SEQUENCES = 64


def gradients(
    model: Annotated[str, typer.Argument(help="A checkpoint.pth, or the name of an exported model.")],
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("gradients.png"),
) -> None:
    """Print the length of the loss's gradient with respect to the first symbol, by the number of steps after it."""
    from vision_pipeline.models.checkpoint import is_token_model, load_checkpoint

    checkpoint = load_checkpoint(resolve_checkpoint(model))
    if not is_token_model(checkpoint):
        raise UserError(f"{checkpoint.name} is no recurrent model of a text or of sequences")
    norm_by_steps = measure_gradients(checkpoint, get_prepared_dir(checkpoint))
    typer.echo("steps  gradient")
    for steps, norm in norm_by_steps.items():
        typer.echo(f"{steps:>5}  {norm:.3e}")
    _plot_gradients(output, checkpoint.name, norm_by_steps)


def measure_gradients(checkpoint: "Checkpoint", folder: Path) -> dict[int, float]:
    """Compute `first_step_grad_norm` on the test split of a data set for several numbers of steps.

    A text is cut into pieces whose target is the symbol that follows; of sequences the beginnings are taken, with their
    own targets.

    Args:
        checkpoint: a recurrent model of a text or of sequences.
        folder: the prepared data set.

    Returns:
        The gradient's norm, by the number of steps.

    Raises:
        DataError: the data set is missing, or has other symbols or lengths than the model.
    """
    import numpy as np
    import torch

    from vision_pipeline.models.checkpoint import build_from_checkpoint
    from vision_pipeline.models.input_gradients import first_step_grad_norm

    data = open_dataset(folder)
    if (checkpoint.input_shape, checkpoint.class_names) != (data.info.shape, data.info.class_names):
        raise DataError(f"{checkpoint.name} was trained on other symbols or lengths than {folder} has; train it again")
    arrays = (data.inputs("test"), data.targets("test"))
    symbols, targets = (torch.from_numpy(np.array(values).astype(np.int64)) for values in arrays)
    network: Any = build_from_checkpoint(checkpoint)
    if is_text := symbols.ndim == 1:
        max_length = min(_STEP_COUNTS[-1], len(symbols))
        stride = max(1, (len(symbols) - max_length) // _NUM_SEQUENCES)
        symbols, targets = (values.unfold(0, max_length, stride) for values in (symbols, targets))
    symbols, targets, norm_by_steps = symbols[:_NUM_SEQUENCES], targets[:_NUM_SEQUENCES], {}
    for steps in (length for length in _STEP_COUNTS if length <= symbols.shape[1]):
        step_targets = targets[:, steps - 1] if is_text else targets
        norm_by_steps[steps] = first_step_grad_norm(network, symbols[:, :steps], step_targets)
    return norm_by_steps


def _plot_gradients(path: Path, name: str, norm_by_steps: dict[int, float]) -> None:
    from matplotlib.figure import Figure

    from vision_pipeline.evaluation.plot_style import BLUE, plot_style, save_figure

    with plot_style():
        figure = Figure(figsize=(6, 3.6), layout="constrained")
        axes = figure.subplots()
        axes.semilogy(list(norm_by_steps), list(norm_by_steps.values()), "o-", color=BLUE)
        axes.yaxis.set_major_formatter("{x:.0e}")
        axes.set_title(f"{name}: the gradient at the first symbol")
        axes.set_xlabel("steps")
        axes.set_ylabel("length of the gradient")
        axes.grid(axis="y")
        save_figure(figure, path)
