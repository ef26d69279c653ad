"""A sweep's figures: what its metric depends on, and every trial as a line through its values."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from stages.commands.experiments.figure import LABELS
from stages.commands.sweeps.file import Sweep
from stages.commands.sweeps.scale import Scale
from stages.commands.sweeps.table import note, ranked
from stages.evaluation.style import BLUE, GRID, INK, MUTED, ORANGE, look, save

_SHADES = LinearSegmentedColormap.from_list("worst to best", ["#c9d6e4", BLUE])
_LETTERS = 17  # of a note, per inch


def draw_importance(path: Path, sweep: Sweep, shares: Mapping[str, float], rows: pd.DataFrame) -> None:
    """Draw each key's share of the metric's variance as a bar.

    Args:
        path: of the PNG.
        sweep: its file.
        shares: by key, 0 to 1.
        rows: of `table`.
    """
    keys = sorted(shares, key=lambda key: shares[key])
    with look():
        figure = Figure(figsize=(7.0, 1.6 + 0.42 * len(keys)), layout="constrained")
        axes = figure.subplots()
        axes.barh(keys, [shares[key] for key in keys], color=BLUE, height=0.62)
        for place, key in enumerate(keys):
            axes.text(shares[key] + 0.01, place, f"{shares[key]:.0%}", va="center", color=INK)
        axes.set_xlim(0, max(shares.values()) * 1.12)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel(f"share of the variance of {_words(sweep.metric)} among finished trials (fANOVA)")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        _frame(figure, sweep, rows)
        save(figure, path)


def draw_parallel(path: Path, sweep: Sweep, rows: pd.DataFrame) -> None:
    """Draw a line for each trial, through its values to its metric; a pruned one ends before that.

    Args:
        path: of the PNG.
        sweep: its file.
        rows: of `table`.
    """
    ended = rows[rows["state"] != "failed"]
    finished = ranked(sweep, ended[ended["state"] == "finished"])
    scales = {key: Scale.of_key(key, dimension, ended) for key, dimension in sweep.space.items()}
    scales[sweep.metric] = Scale.of_metric(sweep.metric, finished)
    with look():
        figure = Figure(figsize=(1.4 + 1.7 * len(scales), 4.6), layout="constrained")
        axes = figure.subplots()
        _pruned_lines(axes, [scales[key] for key in sweep.space], ended.index.difference(finished.index))
        _finished_lines(axes, list(scales.values()), finished)
        for place, (key, scale) in enumerate(scales.items()):
            _axis(axes, place, scale, last=key == sweep.metric)
        axes.set_xticks(range(len(scales)), list(map(_words, scales)), color=INK)
        axes.set_xlim(-0.25, len(scales) - 0.45)
        axes.set_ylim(-0.06, 1.06)
        axes.yaxis.set_visible(False)
        axes.spines[["left", "bottom"]].set_visible(False)
        figure.legend(loc="outside upper right", ncols=2)
        _frame(figure, sweep, rows)
        save(figure, path)


def _pruned_lines(axes: Axes, scales: list[Scale], pruned: pd.Index) -> None:
    for count, index in enumerate(pruned):
        heights = [scale.heights[index] for scale in scales]
        axes.plot(heights, color=MUTED, linewidth=0.9, linestyle=":", label=None if count else "pruned")


def _finished_lines(axes: Axes, scales: list[Scale], finished: pd.DataFrame) -> None:
    """The darker the better, the best on top.

    Args:
        axes: to draw on.
        scales: of the keys and the metric.
        finished: rows of `ranked`.
    """
    for place, index in reversed(list(enumerate(finished.index))):
        marked = {} if place else {"color": ORANGE, "linewidth": 2.6, "label": finished["trial"][index]}
        heights = [scale.heights[index] for scale in scales]
        axes.plot(heights, **{"color": _SHADES(1 - place / len(finished)), "linewidth": 1.3, **marked})


def _axis(axes: Axes, place: int, scale: Scale, last: bool) -> None:
    axes.axvline(place, color=INK if last else GRID, linewidth=1.2, zorder=0.5)
    for height, label in scale.ticks.items():
        axes.text(place + 0.03, height, label, fontsize=8.5, color=MUTED, va="center",
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6})  # fmt: skip


def _frame(figure: Figure, sweep: Sweep, rows: pd.DataFrame) -> None:
    figure.suptitle(sweep.about, x=0.01, ha="left", fontsize=11, fontweight="bold")
    stand_in = " Data: STAND-IN, not the real images." if "stand-in" in set(rows["data"]) else ""
    said = fill(note(sweep, rows) + stand_in, int(figure.get_figwidth() * _LETTERS))
    figure.text(0.01, -0.01, said, color=MUTED, fontsize=8.5, va="top")


def _words(key: str) -> str:
    return LABELS.get(key, key.removeprefix("train.").replace("_", " "))
