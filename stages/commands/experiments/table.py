"""An experiment's table: a row for each model, the figures with their 95 % intervals over seeds or test images."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from stages.commands.experiments.file import Experiment, Reported
from stages.commands.experiments.variants import Variant
from stages.evaluation.seeds import mean_interval
from stages.evaluation.tables import records
from stages.params.fields import did_you_mean
from stages.project.console import Refusal

_ALWAYS = ("accuracy", "val_accuracy", "parameters", "first_layer_gradient")
_SHALLOW = 2  # hidden layers at most


Figures = dict[str, Any]  # of a model with one seed


def table(experiment: Experiment, variants: Sequence[Variant], found: Sequence[Sequence[Figures]]) -> pd.DataFrame:
    """The axes' levels, `hidden_layers`, `shallow_or_deep`, `data`, and each figure, with `<figure>_low` and `_high`.

    Args:
        experiment: its `figure` names more columns.
        variants: a row each.
        found: `figures` of each variant, by seed.
    """
    keys = dict.fromkeys([*experiment.shown, *(one.figure for one in experiment.reported), *_ALWAYS])
    rows = []
    for variant, seeds in zip(variants, found, strict=True):
        row: dict[str, Any] = {**variant.levels, **depth(variant.model), "data": seeds[0]["provenance"]}
        for key in keys:
            row |= interval(key, seeds)
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def depth(model: dict[str, Any]) -> dict[str, Any]:
    """The number of hidden layers of an mlp, a cnn or a head, and what such a network is called; else nothing."""
    if not isinstance(model.get("hidden"), list):  # of a recurrent network it is a size
        return {}
    hidden = len(model.get("channels", [])) + len(model["hidden"])
    return {"hidden_layers": hidden, "shallow_or_deep": "shallow" if hidden <= _SHALLOW else "deep"}


def interval(key: str, seeds: Sequence[Figures]) -> Figures:
    """A figure's mean over seeds and its 95 % interval by Student's t; of one seed, the interval that it came with.

    Where all seeds agree, as on the number of parameters, there is no interval.

    Raises:
        Refusal: the models have no such figure.
    """
    if key not in seeds[0]:
        raise Refusal(f"figure.y is {key!r}; {did_you_mean(key, list(seeds[0]))}")
    if len(seeds) == 1:
        return {name: seeds[0].get(name) for name in (key, f"{key}_low", f"{key}_high")}
    values = [one[key] for one in seeds]
    if len(set(values)) == 1:
        return {key: values[0]}
    low, high = mean_interval(values, share="accuracy" in key)
    return {key: fmean(values), f"{key}_low": low, f"{key}_high": high}


def as_markdown(name: str, experiment: Experiment, rows: pd.DataFrame) -> str:
    """The table as a Markdown page, which says how the intervals came about and on what data."""
    columns = [column for column in map(str, rows) if not column.endswith(("_low", "_high"))]
    lines = [f"# {name}", "", experiment.about + ".", ""]
    if "stand-in" in set(rows["data"]):
        lines += ["> **Warning.** Measured on stand-in data; compare it with nothing published.", ""]
    lines += [line([column.replace("_", " ") for column in columns]), line(["--"] * len(columns))]
    lines += [line([cell(column, row) for column in columns]) for row in records(rows)]
    return "\n".join([*lines, "", note(experiment), *_against(experiment, rows), ""])


def _against(experiment: Experiment, rows: pd.DataFrame) -> list[str]:
    """A table of what others reported and what is measured here; nothing where nobody did."""
    if not experiment.reported:
        return []
    found = {"-".join(str(row[axis]) for axis in experiment.vary): row for row in records(rows)}
    lines = ["", "## Against what is reported elsewhere", ""]
    lines += [line(["variant", "figure", "reported", "here", "", "by"]), line(["--"] * 6)]
    for one in experiment.reported:
        row, figure = found[one.variant], one.figure
        name, said = figure.replace("_", " "), text(figure, one.value)
        lines.append(line([one.variant, name, said, cell(figure, row), verdict(one, row), one.source]))
    return lines


def verdict(reported: Reported, row: dict[str, Any]) -> str:
    """`reproduced`: the value reported lies within the interval here; else whether it is better here, or worse.

    On stand-in data nothing can be compared.
    """
    if row["data"] == "stand-in":
        return "not comparable: stand-in data"
    here = row[reported.figure]
    ends = (row.get(f"{reported.figure}_{end}") for end in ("low", "high"))
    low, high = (here if pd.isna(end) else end for end in ends)  # where all seeds agree there is no interval
    if low <= reported.value <= high:
        return "reproduced"
    return "beaten" if (here > reported.value) != ("loss" in reported.figure) else "missed"


def note(experiment: Experiment) -> str:
    """How the intervals came about."""
    count = len(experiment.seeds)
    if count == 1:
        return "One seed; the 95 % interval is Wilson's, over the test images."
    return f"Mean over {count} seeds with its 95 % interval (Student's t)."


def cell(column: str, row: dict[str, Any]) -> str:
    """A figure and its interval, for people; an em dash where there is none."""
    value, low, high = (row.get(key) for key in (column, f"{column}_low", f"{column}_high"))
    if column == "data":
        return "STAND-IN" if value == "stand-in" else str(value)
    if low is None or pd.isna(low):
        return text(column, value)
    return f"{text(column, value)} ({text(column, low)} to {text(column, high)})"


def text(key: str, value: Any) -> str:
    """A figure as it is written: accuracies in per cent, whole numbers in full, others to 4 digits."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "—"
    if isinstance(value, str):
        return value
    if "accuracy" in key:
        return f"{value:.2%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def line(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
