"""The picture of symbols that a model did not expect, in the place of the worst mistakes among images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stages.evaluation.style import INK, MUTED, RED, look, save
from stages.evaluation.symbols import Place
from stages.project.fonts import cut, width

_WIDTH = 9.6  # inches
_LINE = 0.27
_FONT_SIZE = 9.5
_SYMBOL = _FONT_SIZE * 0.602 / 72 / _WIDTH  # of the figure's width: DejaVu Sans Mono's advance is 0.602 of its size
_BEFORE, _LETTERS = 44, 57  # the widest text before a symbol, and in all, in Latin letters


def draw_places(path: Path, title: str, places: Sequence[Place]) -> None:
    """A line for each place: its symbol in red between those around it, and what is to be said of it."""
    height = 0.55 + _LINE * max(1, len(places))
    with look():
        figure = Figure(figsize=(_WIDTH, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.axis("off")
        axes.text(0.01, 1 - 0.12 / height, title, va="top", fontsize=11, fontweight="bold")
        for line, place in enumerate(places):
            _draw(axes, place, 1 - (0.55 + _LINE * line) / height, max(width(_before(one)) for one in places))
        if not places:
            axes.text(0.01, 1 - 0.55 / height, "Nothing to show: every prediction is right.", va="center", color=MUTED)
        save(figure, path)


def _draw(axes: Axes, place: Place, y: float, before: int) -> None:
    left = 0.01 + before * _SYMBOL
    right = left + width(place.symbol) * _SYMBOL
    common: dict[str, Any] = {"va": "center", "family": "DejaVu Sans Mono", "fontsize": _FONT_SIZE}
    axes.text(left, y, _before(place), ha="right", color=INK, **common)
    axes.text(left, y, place.symbol, color=RED, fontweight="bold", **common)
    axes.text(right, y, cut(place.after, _LETTERS - before - width(place.symbol)), color=MUTED, **common)
    axes.text(0.6, y, place.remark, va="center", color=INK, fontsize=9)


def _before(place: Place) -> str:
    return cut(place.before[::-1], _BEFORE)[::-1]  # its end
