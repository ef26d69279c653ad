"""An experiment's figure: one panel for each plotted metric, with error bars for its intervals."""

from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, PercentFormatter, StrMethodFormatter

from vision_pipeline.cli.experiment.results_table import describe_intervals
from vision_pipeline.cli.experiment.variants import ExperimentConfig
from vision_pipeline.cli.metric_format import METRIC_LABELS
from vision_pipeline.evaluation.plot_style import BLUE, GREEN, MUTED, ORANGE, RED, plot_style, save_figure

_LINE_STYLES = (*zip((BLUE, ORANGE, GREEN, RED, MUTED), "osD^v", strict=True),)
_LEVEL_SPREAD = 0.2  # share of a level's width over which its lines are shifted
_TITLE_CHARS_PER_PANEL = 56
_MIN_LOG_SCALE_RATIO = 100.0  # ratio of the largest to the smallest value from which the axis is logarithmic


def plot_experiment(path: Path, experiment: ExperimentConfig, rows: pd.DataFrame) -> None:
    """Draw each of the experiment's plotted metrics over the levels of its `figure.x`.

    Args:
        path: the PNG to write.
        experiment: the experiment's file.
        rows: its table, from `tabulate_results`.
    """
    with plot_style():
        figure = Figure(figsize=(6.2 * len(experiment.plotted_metrics), 4.4), layout="constrained")
        panels = figure.subplots(1, len(experiment.plotted_metrics), squeeze=False)[0]
        for axes, key in zip(panels, experiment.plotted_metrics, strict=True):
            _plot_panel(axes, key, experiment, rows)
        # a longer line would widen the picture
        title = fill(experiment.description, _TITLE_CHARS_PER_PANEL * len(panels))
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if line_axes := _get_line_axes(experiment):
            handles, names = panels[0].get_legend_handles_labels()
            figure.legend(handles, names, loc="outside right center", title=", ".join(map(_to_words, line_axes)))
        note = f"{describe_intervals(experiment)} {_describe_data(rows)}"
        figure.text(0.01, -0.04, note, color=MUTED, fontsize=8.5)
        save_figure(figure, path)


def _get_line_axes(experiment: ExperimentConfig) -> list[str]:
    """Return the axes whose combinations of levels are lines: `lines` first, then axes that the file does not draw."""
    line_axes = [axis for axis in experiment.vary if axis != experiment.figure.x]
    return sorted(line_axes, key=lambda axis: axis != experiment.figure.lines)


def _group_by_line(experiment: ExperimentConfig, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return each line's name and rows."""
    if not (line_axes := _get_line_axes(experiment)):
        return [("", rows)]
    return [(", ".join(map(str, levels)), group) for levels, group in rows.groupby(line_axes, sort=False)]


def _plot_panel(axes: Axes, key: str, experiment: ExperimentConfig, rows: pd.DataFrame) -> None:
    levels, groups = list(experiment.vary[experiment.figure.x]), _group_by_line(experiment, rows)
    shifts = np.linspace(-_LEVEL_SPREAD / 2, _LEVEL_SPREAD / 2, len(groups)) if len(groups) > 1 else [0.0]
    linestyle = "-" if all(_is_number(level) for level in levels) else ""  # levels that are words have no order
    for (name, group), shift, (colour, marker) in zip(groups, shifts, cycle(_LINE_STYLES), strict=False):
        positions = [levels.index(level) + shift for level in group[experiment.figure.x]]
        bars = _compute_error_bars(group, key)
        axes.errorbar(positions, group[key], yerr=bars, color=colour, marker=marker, linestyle=linestyle,
                      capsize=3, linewidth=1.5, elinewidth=1.2, label=name)  # fmt: skip
    rotation, alignment = (30, "right") if sum(map(len, levels)) > 60 else (0, "center")
    axes.set_xticks(range(len(levels)), levels, rotation=rotation, ha=alignment)
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xlabel(_to_words(experiment.figure.x))
    axes.set_ylabel(METRIC_LABELS.get(key, _to_words(key)))
    _format_y_axis(axes, key, rows[key])
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _compute_error_bars(group: pd.DataFrame, key: str) -> Any:
    """Return the distances to the interval's ends, float64 (2, N), below and above; None where there is no interval."""
    if f"{key}_low" not in group:
        return None
    return np.array([group[key] - group[f"{key}_low"], group[f"{key}_high"] - group[key]], np.float64)


def _format_y_axis(axes: Axes, key: str, values: pd.Series) -> None:
    if "accuracy" in key:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.02))
    elif values.min() > 0 and values.max() / values.min() > _MIN_LOG_SCALE_RATIO:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def _to_words(key: str) -> str:
    return key.replace("_", " ").replace("-", " ")


def _is_number(level: str) -> bool:
    return level.replace(".", "", 1).isdigit()


def _describe_data(rows: pd.DataFrame) -> str:
    statuses = sorted(set(rows["data"]))
    labels = ("STAND-IN, not the real images" if status == "stand-in" else status for status in statuses)
    return f"Data: {', '.join(labels)}."
