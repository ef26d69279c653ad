"""An upright axis of a figure that has one for each key of a sweep, and one for its metric."""

from collections.abc import Mapping
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from vision_pipeline.cli.experiment.results_plot import METRIC_LABELS
from vision_pipeline.cli.experiment.results_table import format_metric
from vision_pipeline.cli.sweep.search_space import SearchDimension, SweepConfig
from vision_pipeline.cli.sweep.trials_table import describe_trials, rank_trials
from vision_pipeline.evaluation.plot_style import BLUE, GRID, INK, MUTED, ORANGE, plot_style, save_figure

_CHOICE_SPREAD = 0.25  # of a choice's room, to either side, over which the trials that took it are spread
_MAX_TICKS = 4  # steps of a range, at most
_MIN_LABEL_GAP = 0.07  # of an axis: labels that are nearer than this would touch


class ParallelAxis:
    """Where values stand on an upright axis from 0 to 1, and the ticks beside it.

    Attributes:
        heights: of each trial, by the index of its row.
        ticks: labels by height.
    """

    def __init__(self, heights: pd.Series, ticks: dict[float, str]) -> None:
        self.heights, self.ticks = heights, ticks

    @classmethod
    def from_dimension(cls, key: str, dimension: SearchDimension, rows: pd.DataFrame) -> "ParallelAxis":
        """A range from end to end, or choices one above the other."""
        if dimension.choices is not None:
            return cls._from_choices(rows[key].map(str), list(map(str, dimension.choices)))
        low, high = dimension.ends
        return cls._from_range(rows[key].astype(float), float(low), float(high), dimension.log, key)

    @classmethod
    def from_metric(cls, key: str, rows: pd.DataFrame) -> "ParallelAxis":
        """From the lowest to the highest that there is."""
        values = rows[key].astype(float)
        low, high = values.min(), values.max()
        return cls._from_range(values, low, high if high > low else low + 1e-9, False, key)

    @classmethod
    def _from_range(cls, values: pd.Series, low: float, high: float, log: bool, key: str) -> "ParallelAxis":
        def to_height(value: Any) -> Any:
            if log:
                return np.log(value / low) / np.log(high / low)
            return (value - low) / (high - low)

        candidates = 10.0 ** np.arange(-12, 12) if log else MaxNLocator(_MAX_TICKS).tick_values(low, high)
        inner_ticks = [
            tick for tick in candidates if low < tick < high and _MIN_LABEL_GAP < to_height(tick) < 1 - _MIN_LABEL_GAP
        ]
        labels = {
            float(to_height(tick)): format_metric(key, float(f"{tick:.4g}")) for tick in (low, *inner_ticks, high)
        }
        return cls(to_height(values), labels)

    @classmethod
    def _from_choices(cls, values: pd.Series, choices: list[str]) -> "ParallelAxis":
        band = 1 / len(choices)
        heights = (values.map(choices.index) + 0.5) * band
        for _, overlapping in heights.groupby(heights):  # lines that would lie on one another
            heights[overlapping.index] += (
                band * np.linspace(-_CHOICE_SPREAD, _CHOICE_SPREAD, len(overlapping)) if len(overlapping) > 1 else 0.0
            )
        return cls(heights, {(index + 0.5) * band: choice for index, choice in enumerate(choices)})


# MERGED A sweep's figures: what its metric depends on, and every trial as a line through its values.
_RANK_COLORMAP = LinearSegmentedColormap.from_list("worst to best", ["#c9d6e4", BLUE])
_NOTE_CHARS_PER_INCH = 17  # of a note, per inch


def plot_param_importance(path: Path, sweep: SweepConfig, shares: Mapping[str, float], rows: pd.DataFrame) -> None:
    """Draw each key's share of the metric's variance as a bar.

    Args:
        path: of the PNG.
        sweep: its file.
        shares: by key, 0 to 1.
        rows: of `table`.
    """
    keys = sorted(shares, key=lambda key: shares[key])
    with plot_style():
        figure = Figure(figsize=(7.0, 1.6 + 0.42 * len(keys)), layout="constrained")
        axes = figure.subplots()
        axes.barh(keys, [shares[key] for key in keys], color=BLUE, height=0.62)
        for position, key in enumerate(keys):
            axes.text(shares[key] + 0.01, position, f"{shares[key]:.0%}", va="center", color=INK)
        axes.set_xlim(0, max(shares.values()) * 1.12)
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.set_xlabel(f"share of the variance of {_to_label(sweep.metric)} among finished trials (fANOVA)")
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        _add_title_and_note(figure, sweep, rows)
        save_figure(figure, path)


def plot_parallel_coordinates(path: Path, sweep: SweepConfig, rows: pd.DataFrame) -> None:
    """Draw a line for each trial, through its values to its metric; a pruned one ends before that.

    Args:
        path: of the PNG.
        sweep: its file.
        rows: of `table`.
    """
    ended = rows[rows["state"] != "failed"]
    finished = rank_trials(sweep, ended[ended["state"] == "finished"])
    scales = {key: ParallelAxis.from_dimension(key, dimension, ended) for key, dimension in sweep.space.items()}
    scales[sweep.metric] = ParallelAxis.from_metric(sweep.metric, finished)
    with plot_style():
        figure = Figure(figsize=(1.4 + 1.7 * len(scales), 4.6), layout="constrained")
        axes = figure.subplots()
        _plot_pruned_lines(axes, [scales[key] for key in sweep.space], ended.index.difference(finished.index))
        _plot_finished_lines(axes, list(scales.values()), finished)
        for position, (key, scale) in enumerate(scales.items()):
            _draw_axis(axes, position, scale, last=key == sweep.metric)
        axes.set_xticks(range(len(scales)), list(map(_to_label, scales)), color=INK)
        axes.set_xlim(-0.25, len(scales) - 0.45)
        axes.set_ylim(-0.06, 1.06)
        axes.yaxis.set_visible(False)
        axes.spines[["left", "bottom"]].set_visible(False)
        figure.legend(loc="outside upper right", ncols=2)
        _add_title_and_note(figure, sweep, rows)
        save_figure(figure, path)


def _plot_pruned_lines(axes: Axes, scales: list[ParallelAxis], pruned: pd.Index) -> None:
    for count, index in enumerate(pruned):
        heights = [scale.heights[index] for scale in scales]
        axes.plot(heights, color=MUTED, linewidth=0.9, linestyle=":", label=None if count else "pruned")


def _plot_finished_lines(axes: Axes, scales: list[ParallelAxis], finished: pd.DataFrame) -> None:
    """The darker the better, the best on top.

    Args:
        axes: to draw on.
        scales: of the keys and the metric.
        finished: rows of `ranked`.
    """
    for rank, index in reversed(list(enumerate(finished.index))):
        highlight = {} if rank else {"color": ORANGE, "linewidth": 2.6, "label": finished["trial"][index]}
        heights = [scale.heights[index] for scale in scales]
        axes.plot(heights, **{"color": _RANK_COLORMAP(1 - rank / len(finished)), "linewidth": 1.3, **highlight})


def _draw_axis(axes: Axes, position: int, scale: ParallelAxis, last: bool) -> None:
    axes.axvline(position, color=INK if last else GRID, linewidth=1.2, zorder=0.5)
    for height, label in scale.ticks.items():
        axes.text(position + 0.03, height, label, fontsize=8.5, color=MUTED, va="center",
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6})  # fmt: skip


def _add_title_and_note(figure: Figure, sweep: SweepConfig, rows: pd.DataFrame) -> None:
    figure.suptitle(sweep.description, x=0.01, ha="left", fontsize=11, fontweight="bold")
    stand_in = " Data: STAND-IN, not the real images." if "stand-in" in set(rows["data"]) else ""
    footer = fill(describe_trials(sweep, rows) + stand_in, int(figure.get_figwidth() * _NOTE_CHARS_PER_INCH))
    figure.text(0.01, -0.01, footer, color=MUTED, fontsize=8.5, va="top")


def _to_label(key: str) -> str:
    return METRIC_LABELS.get(key, key.removeprefix("train.").replace("_", " "))
