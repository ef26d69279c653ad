"""The picture of predictions: each image beside the bars of its probabilities."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from stages.commands.predictions.images import Asked
from stages.commands.predictions.report import Answer, printable
from stages.evaluation.style import BLUE, GREEN, INK, MUTED, RED, look, save
from stages.project.fonts import cut, shortened, width

_BARS = 5  # classes beside an image
_COLUMNS = 3
_NAME = 26  # Latin letters
_OTHER = "#c3cbd5"


def draw_predictions(path: Path, answers: Sequence[Answer], class_names: Sequence[str]) -> None:
    """Draw images with their most probable classes; green is right, red is wrong, blue where the truth is unknown.

    Args:
        path: of the PNG.
        answers: of readable images, with their pixels.
        class_names: by index.
    """
    columns = min(_COLUMNS, len(answers))
    rows = -(-len(answers) // columns)
    with look():
        figure = Figure(figsize=(4.3 * columns, 1.95 * rows + 0.1), layout=ConstrainedLayoutEngine(hspace=0.06))
        grid = figure.subplots(rows, 2 * columns, squeeze=False, width_ratios=[1, 1.25] * columns)
        for axes in grid.ravel():
            axes.axis("off")
        for place, answer in enumerate(answers):
            row, column = divmod(place, columns)
            _image(grid[row, 2 * column], answer.image)
            _bars(grid[row, 2 * column + 1], answer, class_names)
        save(figure, path)


def _image(axes: Axes, image: Asked) -> None:
    assert image.pixels is not None
    grey = image.pixels.shape[2] == 1
    pixels = image.pixels[..., 0] if grey else image.pixels
    axes.imshow(pixels, cmap="gray" if grey else None, vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(_ending(Path(image.name).name), fontsize=8, fontweight="normal", color=MUTED, pad=4)


def _ending(name: str) -> str:
    """The end of a name: rows and photos of a series differ there."""
    line = printable(name)
    return line if width(line) <= _NAME else "…" + cut(line[::-1], _NAME - 1)[::-1]


def _bars(axes: Axes, answer: Answer, class_names: Sequence[str]) -> None:
    truth, chances = answer.image.truth, answer.probabilities
    assert chances is not None
    best = np.argsort(-chances, kind="stable")[:_BARS]
    names = [class_names[index] for index in best]
    verdict = BLUE if truth is None else GREEN if names[0] == truth else RED
    colours = [verdict, *(GREEN if name == truth else _OTHER for name in names[1:])]
    heights = np.arange(len(best))
    middle = (len(best) - 1) / 2
    axes.axis("on")
    axes.barh(heights, np.ones(len(best)), height=0.62, color="#f4f6f8")
    axes.barh(heights, chances[best], height=0.62, color=colours)
    for height, chance in enumerate(chances[best]):
        axes.text(1.03, height, f"{chance:.1%}", va="center", fontsize=8, color=INK)
    axes.set_yticks(heights, [shortened(name, 14) for name in names], fontsize=8.5, color=INK)
    axes.set(xlim=(0, 1.32), ylim=(middle + _BARS / 2, middle - _BARS / 2), xticks=[])
    axes.spines[:].set_visible(False)
    if truth is not None:
        said = "right" if names[0] == truth else f"wrong, it is {shortened(truth, 14)}"
        axes.text(0, -0.5, said, va="bottom", fontsize=8, fontweight="bold", color=verdict)
