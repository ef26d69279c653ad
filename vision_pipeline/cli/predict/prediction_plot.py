"""The plot of predictions: each image beside the bars of its probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from vision_pipeline.cli.input_images import InputImage
from vision_pipeline.cli.predict.prediction_report import Prediction, replace_unprintable
from vision_pipeline.core.fonts import cut_to_width, measure_width, truncate
from vision_pipeline.evaluation.plot_style import BLUE, GREEN, INK, MUTED, RED, plot_style, save_figure

_NUM_BARS = 5  # classes beside an image
_MAX_COLUMNS = 3
_MAX_NAME_WIDTH = 26  # Latin letters
_OTHER_COLOUR = "#c3cbd5"


def plot_predictions(path: Path, predictions: Sequence[Prediction], class_names: Sequence[str]) -> None:
    """Draw images with their most probable classes: green is right, red is wrong, blue is of unknown truth.

    Args:
        path: the PNG to write.
        predictions: predictions for readable images, with their pixels.
        class_names: class names by index.
    """
    columns = min(_MAX_COLUMNS, len(predictions))
    rows = -(-len(predictions) // columns)
    with plot_style():
        figure = Figure(figsize=(4.3 * columns, 1.95 * rows + 0.1), layout=ConstrainedLayoutEngine(hspace=0.06))
        grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.25] * columns)
        for axes in grid.ravel():
            axes.axis("off")
        for index, prediction in enumerate(predictions):
            row, column = divmod(index, columns)
            _plot_image(grid[row, 2 * column], prediction.image)
            _plot_bars(grid[row, 2 * column + 1], prediction, class_names)
        save_figure(figure, path)


def _plot_image(axes: Axes, image: InputImage) -> None:
    assert image.pixels is not None
    grey = image.pixels.shape[2] == 1
    pixels = image.pixels[..., 0] if grey else image.pixels
    axes.imshow(pixels, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(_truncate_start(Path(image.name).name), fontsize=8, fontweight="normal", color=MUTED, pad=4)


def _truncate_start(name: str) -> str:
    """Return the end of a name, where rows of a set and photos of a series differ."""
    line = replace_unprintable(name)
    return line if measure_width(line) <= _MAX_NAME_WIDTH else "…" + cut_to_width(line[::-1], _MAX_NAME_WIDTH - 1)[::-1]


def _plot_bars(axes: Axes, prediction: Prediction, class_names: Sequence[str]) -> None:
    truth, probabilities = prediction.image.truth, prediction.probabilities
    assert probabilities is not None
    top_classes = np.argsort(-probabilities, kind="stable")[:_NUM_BARS]
    names = [class_names[index] for index in top_classes]
    verdict_colour = BLUE if truth is None else GREEN if names[0] == truth else RED
    colours = [verdict_colour, *(GREEN if name == truth else _OTHER_COLOUR for name in names[1:])]
    heights = np.arange(len(top_classes))
    middle = (len(top_classes) - 1) / 2
    axes.axis("on")
    axes.barh(heights, np.ones(len(top_classes)), height=0.62, color="#f4f6f8")
    axes.barh(heights, probabilities[top_classes], height=0.62, color=colours)
    for height, probability in enumerate(probabilities[top_classes]):
        axes.text(1.03, height, f"{probability:.1%}", va="center", fontsize=8, color=INK)
    axes.set_yticks(heights, [truncate(name, 14) for name in names], fontsize=8.5, color=INK)
    axes.set(xlim=(0, 1.32), ylim=(middle + _NUM_BARS / 2, middle - _NUM_BARS / 2), xticks=[])
    axes.spines[:].set_visible(False)
    if truth is not None:
        verdict_text = "right" if names[0] == truth else f"wrong, it is {truncate(truth, 14)}"
        axes.text(0, -0.5, verdict_text, va="bottom", fontsize=8, fontweight="bold", color=verdict_colour)
