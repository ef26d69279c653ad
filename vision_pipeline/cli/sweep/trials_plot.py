"""A sweep's figures: the importance of each key for the metric, and every trial as a line through its values.

They show more than Optuna's own: pruned trials, the best trial by name, stand-in data; their bytes depend on the
table alone.
"""

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

from vision_pipeline.cli.metric_format import METRIC_LABELS, format_metric
from vision_pipeline.cli.sweep.search_space import SearchDimension, SweepConfig
from vision_pipeline.cli.sweep.trials_table import describe_trials, rank_trials
from vision_pipeline.evaluation.plot_style import BLUE, GRID, INK, MUTED, ORANGE, plot_style, save_figure

_CHOICE_SPREAD = 0.25  # share of a choice's band, to either side, over which its trials are spread
_MAX_TICKS = 4  # on the axis of a range
_MIN_LABEL_GAP = 0.07  # share of an axis; labels that are nearer would touch
_RANK_COLORMAP = LinearSegmentedColormap.from_list("worst to best", ["#c9d6e4", BLUE])
_NOTE_CHARS_PER_INCH = 17


def plot_param_importance(path: Path, sweep: SweepConfig, shares: Mapping[str, float], rows: pd.DataFrame) -> None:
    """Draw each key's share of the metric's variance as a bar.

    Args:
        path: the PNG to write.
        sweep: the sweep's file.
        shares: the shares by key, 0 to 1.
        rows: its table, from `tabulate_trials`.
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
    """Draw each trial as a line through its values to its metric; the line of a pruned trial ends before the metric.

    Args:
        path: the PNG to write.
        sweep: the sweep's file.
        rows: its table, from `tabulate_trials`.
    """
    ended = rows[rows["state"] != "failed"]
    finished = rank_trials(sweep, ended[ended["state"] == "finished"])
    parallel_axes = {key: ParallelAxis.from_dimension(key, dimension, ended) for key, dimension in sweep.space.items()}
    parallel_axes[sweep.metric] = ParallelAxis.from_metric(sweep.metric, finished)
    with plot_style():
        figure = Figure(figsize=(1.4 + 1.7 * len(parallel_axes), 4.6), layout="constrained")
        axes = figure.subplots()
        _plot_pruned_lines(axes, [parallel_axes[key] for key in sweep.space], ended.index.difference(finished.index))
        _plot_finished_lines(axes, list(parallel_axes.values()), finished)
        for position, (key, parallel_axis) in enumerate(parallel_axes.items()):
            _draw_axis(axes, position, parallel_axis, last=key == sweep.metric)
        axes.set_xticks(range(len(parallel_axes)), list(map(_to_label, parallel_axes)), color=INK)
        axes.set_xlim(-0.25, len(parallel_axes) - 0.45)
        axes.set_ylim(-0.06, 1.06)
        axes.yaxis.set_visible(False)
        axes.spines[["left", "bottom"]].set_visible(False)
        figure.legend(loc="outside upper right", ncols=2)
        _add_title_and_note(figure, sweep, rows)
        save_figure(figure, path)


class ParallelAxis:
    """One of the upright axes of a plot of parallel coordinates, from 0 to 1.

    Attributes:
        heights: height of each trial's value, by the index of its row.
        ticks: labels by height.
    """

    def __init__(self, heights: pd.Series, ticks: dict[float, str]) -> None:
        self.heights, self.ticks = heights, ticks

    @classmethod
    def from_dimension(cls, key: str, dimension: SearchDimension, rows: pd.DataFrame) -> "ParallelAxis":
        """Return the axis of a key: a range from end to end, or choices one above the other."""
        if dimension.choices is not None:
            return cls._from_choices(rows[key].map(str), list(map(str, dimension.choices)))
        low, high = dimension.ends
        return cls._from_range(rows[key].astype(float), key, low=float(low), high=float(high), log=dimension.log)

    @classmethod
    def from_metric(cls, key: str, rows: pd.DataFrame) -> "ParallelAxis":
        """Return the axis of a metric, from its lowest to its highest value."""
        values = rows[key].astype(float)
        low, high = values.min(), values.max()
        return cls._from_range(values, key, low=low, high=high if high > low else low + 1e-9, log=False)

    @classmethod
    def _from_range(cls, values: pd.Series, key: str, *, low: float, high: float, log: bool) -> "ParallelAxis":
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
            if len(overlapping) > 1:
                shifts = np.linspace(-_CHOICE_SPREAD, _CHOICE_SPREAD, len(overlapping))
                heights[overlapping.index] += band * shifts
        return cls(heights, {(index + 0.5) * band: choice for index, choice in enumerate(choices)})


def _plot_pruned_lines(axes: Axes, parallel_axes: list[ParallelAxis], pruned: pd.Index) -> None:
    for count, index in enumerate(pruned):
        heights = [parallel_axis.heights[index] for parallel_axis in parallel_axes]
        axes.plot(heights, color=MUTED, linewidth=0.9, linestyle=":", label=None if count else "pruned")


def _plot_finished_lines(axes: Axes, parallel_axes: list[ParallelAxis], finished: pd.DataFrame) -> None:
    """Draw finished trials, which `rank_trials` has sorted: the darker the better, the best on top."""
    for rank, index in reversed(list(enumerate(finished.index))):
        highlight = {} if rank else {"color": ORANGE, "linewidth": 2.6, "label": finished["trial"][index]}
        heights = [parallel_axis.heights[index] for parallel_axis in parallel_axes]
        axes.plot(heights, **{"color": _RANK_COLORMAP(1 - rank / len(finished)), "linewidth": 1.3, **highlight})


def _draw_axis(axes: Axes, position: int, parallel_axis: ParallelAxis, last: bool) -> None:
    axes.axvline(position, color=INK if last else GRID, linewidth=1.2, zorder=0.5)
    for height, label in parallel_axis.ticks.items():
        axes.text(position + 0.03, height, label, fontsize=8.5, color=MUTED, va="center",
                  bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6})  # fmt: skip


def _add_title_and_note(figure: Figure, sweep: SweepConfig, rows: pd.DataFrame) -> None:
    figure.suptitle(sweep.description, x=0.01, ha="left", fontsize=11, fontweight="bold")
    stand_in = " Data: STAND-IN, not the real images." if "stand-in" in set(rows["data"]) else ""
    footer = fill(describe_trials(sweep, rows) + stand_in, int(figure.get_figwidth() * _NOTE_CHARS_PER_INCH))
    figure.text(0.01, -0.01, footer, color=MUTED, fontsize=8.5, va="top")


def _to_label(key: str) -> str:
    return METRIC_LABELS.get(key, key.removeprefix("train.").replace("_", " "))
