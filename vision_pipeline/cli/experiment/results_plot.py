"""An experiment's figure: one panel for each figure shown, whiskers for its intervals."""

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
from vision_pipeline.evaluation.plot_style import BLUE, GREEN, MUTED, ORANGE, RED, plot_style, save_figure

_LINE_STYLES = (*zip((BLUE, ORANGE, GREEN, RED, MUTED), "osD^v", strict=True),)
_LEVEL_SPREAD = 0.2  # of the room of a level, over which its lines stand side by side
_TITLE_CHARS_PER_PANEL = 56  # of a title, over a panel
_MIN_LOG_SCALE_RATIO = 100.0  # the largest by the smallest of the values: from here on, a logarithmic axis
METRIC_LABELS = {
    "accuracy": "test accuracy",
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "first_layer_gradient": "gradient norm of the first layer, before training",
}


def plot_experiment(path: Path, experiment: ExperimentConfig, rows: pd.DataFrame) -> None:
    """Draw each of `experiment.shown` over the levels of `figure.x`.

    Args:
        path: of the PNG.
        experiment: with its axes and what is drawn.
        rows: of `table`.
    """
    with plot_style():
        figure = Figure(figsize=(6.2 * len(experiment.plotted_metrics), 4.4), layout="constrained")
        panels = figure.subplots(1, len(experiment.plotted_metrics), squeeze=False)[0]
        for axes, key in zip(panels, experiment.plotted_metrics, strict=True):
            _plot_panel(axes, key, experiment, rows)
        title = fill(
            experiment.description, _TITLE_CHARS_PER_PANEL * len(panels)
        )  # a longer one would widen the picture
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if line_axes := _get_line_axes(experiment):
            handles, names = panels[0].get_legend_handles_labels()
            figure.legend(handles, names, loc="outside right center", title=", ".join(map(_to_words, line_axes)))
        figure.text(
            0.01, -0.04, " ".join([describe_intervals(experiment), _describe_data(rows)]), color=MUTED, fontsize=8.5
        )
        save_figure(figure, path)


def _get_line_axes(experiment: ExperimentConfig) -> list[str]:
    """The axes of which every combination of levels is a line: `lines`, then those that the file does not draw."""
    line_axes = [axis for axis in experiment.vary if axis != experiment.figure.x]
    return sorted(line_axes, key=lambda axis: axis != experiment.figure.lines)


def _group_by_line(experiment: ExperimentConfig, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Each line's name and rows."""
    if not (line_axes := _get_line_axes(experiment)):
        return [("", rows)]
    return [(", ".join(map(str, levels)), group) for levels, group in rows.groupby(line_axes, sort=False)]


def _plot_panel(axes: Axes, key: str, experiment: ExperimentConfig, rows: pd.DataFrame) -> None:
    levels, groups = list(experiment.vary[experiment.figure.x]), _group_by_line(experiment, rows)
    shifts = np.linspace(-_LEVEL_SPREAD / 2, _LEVEL_SPREAD / 2, len(groups)) if len(groups) > 1 else [0.0]
    linestyle = "-" if all(_is_number(level) for level in levels) else ""  # other levels have no order to follow
    for (name, group), shift, (colour, marker) in zip(groups, shifts, cycle(_LINE_STYLES), strict=False):
        positions = [levels.index(level) + shift for level in group[experiment.figure.x]]
        axes.errorbar(positions, group[key], yerr=_compute_error_bars(group, key), color=colour, marker=marker, linestyle=linestyle,
                      capsize=3, linewidth=1.5, elinewidth=1.2, label=name)  # fmt: skip
    has_long_labels = sum(map(len, levels)) > 60
    axes.set_xticks(
        range(len(levels)), levels, rotation=30 if has_long_labels else 0, ha="right" if has_long_labels else "center"
    )
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xlabel(_to_words(experiment.figure.x))
    axes.set_ylabel(METRIC_LABELS.get(key, _to_words(key)))
    _format_y_axis(axes, key, rows[key])
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _compute_error_bars(group: pd.DataFrame, key: str) -> Any:
    """float (2, N): below and above; None where there is no interval."""
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
    return (
        "Data: "
        + ", ".join("STAND-IN, not the real images" if status == "stand-in" else status for status in statuses)
        + "."
    )
