"""The style of all figures, and PNG files whose bytes depend on the figure alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from vision_pipeline.core.files import write_bytes
from vision_pipeline.core.fonts import render_png

INK, MUTED, GRID = "#1f2933", "#5f6b7a", "#e4e7eb"
BLUE, ORANGE, GREEN, RED = "#2f6fb4", "#d9730d", "#2f8f5b", "#c0392b"
DPI = 120

# All settings that the figures depend on: a user's own matplotlibrc must not change a figure's bytes.
_RC_PARAMS: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "text.parse_math": False,  # a class may be named "$x"
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
}


@contextmanager
def plot_style() -> Iterator[None]:
    """Apply the project's style inside the block, whatever the user's matplotlib settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(_RC_PARAMS)
        yield


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, without the name and version of the software."""
    write_bytes(path, render_png(figure, dpi=DPI, bbox_inches="tight", pad_inches=0.12))
