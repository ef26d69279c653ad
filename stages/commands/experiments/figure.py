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

from stages.commands.experiments.file import Experiment
from stages.commands.experiments.table import note
from stages.evaluation.style import BLUE, GREEN, MUTED, ORANGE, RED, look, save

_LINES = (*zip((BLUE, ORANGE, GREEN, RED, MUTED), "osD^v", strict=True),)
_SPREAD = 0.2  # of the room of a level, over which its lines stand side by side
_LETTERS = 56  # of a title, over a panel
_WIDE = 100.0  # the largest by the smallest of the values: from here on, a logarithmic axis
LABELS = {
    "accuracy": "test accuracy",
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "first_layer_gradient": "gradient norm of the first layer, before training",
}


def draw_experiment(path: Path, experiment: Experiment, rows: pd.DataFrame) -> None:
    """Draw each of `experiment.shown` over the levels of `figure.x`.

    Args:
        path: of the PNG.
        experiment: with its axes and what is drawn.
        rows: of `table`.
    """
    with look():
        figure = Figure(figsize=(6.2 * len(experiment.shown), 4.4), layout="constrained")
        panels = figure.subplots(1, len(experiment.shown), squeeze=False)[0]
        for axes, key in zip(panels, experiment.shown, strict=True):
            _panel(axes, key, experiment, rows)
        title = fill(experiment.about, _LETTERS * len(panels))  # a longer one would widen the picture
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if others := _others(experiment):
            handles, names = panels[0].get_legend_handles_labels()
            figure.legend(handles, names, loc="outside right center", title=", ".join(map(_words, others)))
        figure.text(0.01, -0.04, " ".join([note(experiment), _data(rows)]), color=MUTED, fontsize=8.5)
        save(figure, path)


def _others(experiment: Experiment) -> list[str]:
    """The axes of which every combination of levels is a line: `lines`, then those that the file does not draw."""
    others = [axis for axis in experiment.vary if axis != experiment.figure.x]
    return sorted(others, key=lambda axis: axis != experiment.figure.lines)


def _groups(experiment: Experiment, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Each line's name and rows."""
    if not (others := _others(experiment)):
        return [("", rows)]
    return [(", ".join(map(str, levels)), part) for levels, part in rows.groupby(others, sort=False)]


def _panel(axes: Axes, key: str, experiment: Experiment, rows: pd.DataFrame) -> None:
    levels, groups = list(experiment.vary[experiment.figure.x]), _groups(experiment, rows)
    shifts = np.linspace(-_SPREAD / 2, _SPREAD / 2, len(groups)) if len(groups) > 1 else [0.0]
    style = "-" if all(_number(level) for level in levels) else ""  # other levels have no order to follow
    for (name, part), shift, (colour, marker) in zip(groups, shifts, cycle(_LINES), strict=False):
        places = [levels.index(level) + shift for level in part[experiment.figure.x]]
        axes.errorbar(places, part[key], yerr=_whiskers(part, key), color=colour, marker=marker, linestyle=style,
                      capsize=3, linewidth=1.5, elinewidth=1.2, label=name)  # fmt: skip
    long = sum(map(len, levels)) > 60
    axes.set_xticks(range(len(levels)), levels, rotation=30 if long else 0, ha="right" if long else "center")
    axes.set_xlim(-0.5, len(levels) - 0.5)
    axes.set_xlabel(_words(experiment.figure.x))
    axes.set_ylabel(LABELS.get(key, _words(key)))
    _scale(axes, key, rows[key])
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)


def _whiskers(part: pd.DataFrame, key: str) -> Any:
    """float (2, N): below and above; None where there is no interval."""
    if f"{key}_low" not in part:
        return None
    return np.array([part[key] - part[f"{key}_low"], part[f"{key}_high"] - part[key]], np.float64)


def _scale(axes: Axes, key: str, values: pd.Series) -> None:
    if "accuracy" in key:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
        axes.set_ylim(top=min(axes.get_ylim()[1], 1.02))
    elif values.min() > 0 and values.max() / values.min() > _WIDE:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_locator(NullLocator())


def _words(key: str) -> str:
    return key.replace("_", " ").replace("-", " ")


def _number(level: str) -> bool:
    return level.replace(".", "", 1).isdigit()


def _data(rows: pd.DataFrame) -> str:
    statuses = sorted(set(rows["data"]))
    return "Data: " + ", ".join("STAND-IN, not the real images" if one == "stand-in" else one for one in statuses) + "."
