"""`vision filters`: the filters of a model's first convolution, and the map that each makes of an image."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from vision_pipeline.cli.checkpoints import get_prepared_dir, resolve_checkpoint
from vision_pipeline.cli.input_images import InputImage, read_input_images, sample_test_images
from vision_pipeline.core.errors import DataError, UserError
from vision_pipeline.data.decode import get_grey_bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from vision_pipeline.models.checkpoint import Checkpoint

MAX_FILTERS = 32  # filters in the plot
_NUM_COLUMNS = 4  # filters in a row
_NUM_COLOUR_CHANNELS = 3
_SIGNED_COLORMAP = "RdBu"  # blue where the answer is positive, red where it is negative


def filters(
    model: Annotated[str, typer.Argument(help="A checkpoint.pth, or the name of an exported model.")],
    image: Annotated[Path | None, typer.Argument(help="An image file; without it, one of the test set.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the draw from the test set.")] = 0,
    output: Annotated[Path, typer.Option(help="The picture, a PNG.")] = Path("filters.png"),
) -> None:
    """Draw what each filter of a model's first convolution answers to an image: as many maps as filters."""
    from vision_pipeline.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(resolve_checkpoint(model))
    input_image = _load_input_image(checkpoint, image, seed)
    assert input_image.pixels is not None
    layer, kernels, maps = run_first_convolution(checkpoint, input_image.pixels)
    plot_filters(output, checkpoint.name, pixels=input_image.pixels, kernels=kernels, maps=maps)
    count, depth, height, width = kernels.shape
    typer.echo(f"{checkpoint.name}, {layer}: {count} filters of {height} x {width} x {depth}")
    typer.echo(f"of {input_image.name} they make {count} maps of {maps.shape[1]} x {maps.shape[2]}, drawn in {output}")


def run_first_convolution(checkpoint: "Checkpoint", pixels: np.ndarray) -> tuple[str, np.ndarray, np.ndarray]:
    """Run the convolution that a model applies first.

    Args:
        checkpoint: a model of images.
        pixels: an image, uint8 (H, W, C), in the model's size.

    Returns:
        The layer's name; its filters, float32 (K, D, F, F); its output for the image, float32 (K, H', W'), before any
        activation.

    Raises:
        UserError: the model has no convolution.
    """
    import torch
    from torch import nn

    from vision_pipeline.models.checkpoint import build_pixel_model
    from vision_pipeline.runtime.inference import eval_mode

    network, convolutions = build_pixel_model(checkpoint), []
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(
                lambda layer, _, output, name=name: convolutions.append((name, layer.weight, output[0]))
            )
    with eval_mode(network), torch.inference_mode():
        network(torch.from_numpy(pixels[None].copy()))
    if not convolutions:
        raise UserError(f"{checkpoint.name} has no convolution, so there are no filters; name a cnn or speednet")
    name, weight, output = convolutions[0]
    return name, weight.detach().numpy(), output.numpy()


def _load_input_image(checkpoint: "Checkpoint", path: Path | None, seed: int) -> InputImage:
    """Return an image in the size and channels of the model's input: the one in `path`, else one of the test set.

    Raises:
        UserError: the model takes no images.
        DataError: the image cannot be read.
    """
    shape, names = checkpoint.input_shape, checkpoint.class_names
    if len(shape) != 3:
        raise UserError(f"{checkpoint.name} takes no images; name a model of images")
    if path is None:
        return next(sample_test_images(get_prepared_dir(checkpoint), 1, seed=seed, shape=shape, class_names=names))
    if not path.is_file():
        raise DataError(f"{path} is no file; name an image")
    input_image = next(read_input_images([path], shape, names, get_grey_bits(checkpoint.provenance)))
    if input_image.error:
        raise DataError(f"{path} cannot be read: {input_image.error}")
    return input_image


def plot_filters(path: Path, name: str, *, pixels: np.ndarray, kernels: np.ndarray, maps: np.ndarray) -> None:
    """Draw an image, and beside it each filter with its map; all maps share a scale, so that weak ones look weak.

    Args:
        path: the PNG to write.
        name: name of the model.
        pixels: the image, uint8 (H, W, C).
        kernels: the filters, float (K, D, F, F); drawn in colours where D is 3, else as their sum over D.
        maps: the filters' outputs, float (K, H', W').
    """
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from vision_pipeline.evaluation.plot_style import plot_style, save_figure

    num_plotted = min(len(kernels), MAX_FILTERS)
    rows, max_abs = -(-num_plotted // _NUM_COLUMNS), float(np.abs(maps).max())
    with plot_style():
        layout = ConstrainedLayoutEngine(hspace=0.04, wspace=0.02, w_pad=0.03)
        figure = Figure(figsize=(2.3 + 2.15 * _NUM_COLUMNS, max(2.6, 1.45 * rows + 0.5)), layout=layout)
        halves = figure.add_gridspec(1, 2, width_ratios=[2.3, 2.15 * _NUM_COLUMNS])
        left, right = (figure.add_subfigure(halves[index]) for index in (0, 1))
        _plot_input(left.subplots(), pixels[..., 0] if pixels.shape[2] == 1 else pixels, "the image")
        grid = right.subplots(rows, 2 * _NUM_COLUMNS, squeeze=False, width_ratios=[0.5, 1] * _NUM_COLUMNS)
        for axes in grid.ravel():
            axes.axis("off")
        for index in range(num_plotted):
            row, column = divmod(index, _NUM_COLUMNS)
            _plot_kernel(grid[row, 2 * column], kernels[index], kernels, str(index + 1))
            _plot_signed(grid[row, 2 * column + 1], maps[index], max_abs)
        suffix = "" if num_plotted == len(kernels) else f", {num_plotted} of {len(kernels)}"
        title = f"{name}: filters of the first convolution and their maps{suffix}"
        figure.suptitle(title, x=0.01, ha="left", weight="bold")
        save_figure(figure, path)


def _plot_input(axes: "Axes", pixels: np.ndarray, title: str) -> None:
    from vision_pipeline.evaluation.plot_style import MUTED

    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=8.5, fontweight="normal", color=MUTED, pad=4)
    axes.text(0, -0.04, "maps: blue above 0,\nred below", transform=axes.transAxes, va="top", fontsize=8.5, color=MUTED)
    axes.set_anchor("N")
    axes.axis("off")


def _plot_kernel(axes: "Axes", kernel: np.ndarray, kernels: np.ndarray, title: str) -> None:
    from vision_pipeline.evaluation.plot_style import MUTED

    if len(kernel) == _NUM_COLOUR_CHANNELS:
        axes.imshow(0.5 + kernel.transpose(1, 2, 0) / (2 * np.abs(kernel).max() or 1), interpolation="nearest")
    else:
        _plot_signed(axes, kernel.sum(0), float(np.abs(kernels.sum(1)).max()))
    axes.set_title(title, fontsize=8, fontweight="normal", color=MUTED, pad=2)


def _plot_signed(axes: "Axes", values: np.ndarray, max_abs: float) -> None:
    axes.imshow(values, cmap=_SIGNED_COLORMAP, vmin=-max_abs, vmax=max_abs, interpolation="nearest")
