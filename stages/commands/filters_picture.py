"""The picture of filters: an image, and beside it each filter with the map that it makes."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from stages.evaluation.style import MUTED, look, save

MOST = 32  # filters in the picture
_COLUMNS = 4  # filters in a row
_COLOURS = 3
_SIGNED = "RdBu"  # blue where the answer is positive, red where it is negative


def draw_filters(path: Path, name: str, pixels: np.ndarray, kernels: np.ndarray, maps: np.ndarray) -> None:
    """Draw an image, filters and maps; all maps share a scale, so that strong and weak ones can be told apart.

    Args:
        path: of the PNG.
        name: of the model.
        pixels: uint8 (H, W, C).
        kernels: float (K, D, F, F); in colours where D is 3, else their sum over D.
        maps: float (K, H', W').
    """
    shown = min(len(kernels), MOST)
    rows, most = -(-shown // _COLUMNS), float(np.abs(maps).max())
    with look():
        layout = ConstrainedLayoutEngine(hspace=0.04, wspace=0.02, w_pad=0.03)
        figure = Figure(figsize=(2.3 + 2.15 * _COLUMNS, max(2.6, 1.45 * rows + 0.5)), layout=layout)
        halves = figure.add_gridspec(1, 2, width_ratios=[2.3, 2.15 * _COLUMNS])
        left, right = (figure.add_subfigure(halves[place]) for place in (0, 1))
        _plain(left.subplots(), pixels[..., 0] if pixels.shape[2] == 1 else pixels, "the image")
        grid = right.subplots(rows, 2 * _COLUMNS, squeeze=False, width_ratios=[0.5, 1] * _COLUMNS)
        for axes in grid.ravel():
            axes.axis("off")
        for place in range(shown):
            row, column = divmod(place, _COLUMNS)
            _filter(grid[row, 2 * column], kernels[place], kernels, str(place + 1))
            _signed(grid[row, 2 * column + 1], maps[place], most)
        more = "" if shown == len(kernels) else f", {shown} of {len(kernels)}"
        figure.suptitle(
            f"{name}: filters of the first convolution and their maps{more}", x=0.01, ha="left", weight="bold"
        )
        save(figure, path)


def _plain(axes: Axes, pixels: np.ndarray, title: str) -> None:
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_title(title, fontsize=8.5, fontweight="normal", color=MUTED, pad=4)
    axes.text(0, -0.04, "maps: blue above 0,\nred below", transform=axes.transAxes, va="top", fontsize=8.5, color=MUTED)
    axes.set_anchor("N")
    axes.axis("off")


def _filter(axes: Axes, kernel: np.ndarray, kernels: np.ndarray, title: str) -> None:
    if len(kernel) == _COLOURS:
        axes.imshow(0.5 + kernel.transpose(1, 2, 0) / (2 * np.abs(kernel).max() or 1), interpolation="nearest")
    else:
        _signed(axes, kernel.sum(0), float(np.abs(kernels.sum(1)).max()))
    axes.set_title(title, fontsize=8, fontweight="normal", color=MUTED, pad=2)


def _signed(axes: Axes, values: np.ndarray, most: float) -> None:
    axes.imshow(values, cmap=_SIGNED, vmin=-most, vmax=most, interpolation="nearest")
