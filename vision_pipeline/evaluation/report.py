"""The page that shows everything: leaderboard, data sets and models, in one file that needs no network."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import ceil, floor
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vision_pipeline.core.dicts import flatten_dict
from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json
from vision_pipeline.evaluation.tables import read_table, table_to_records

PROVENANCE_MEANINGS = {
    "official": "the publisher's images, checked by their checksum",
    "variant": "the publisher's data set, but not byte for byte: re-encoded or re-packed",
    "stand-in": "a small substitute for the real data, which could not be had; not comparable with published figures",
    "own": "data of your own",
    "drawn": "drawn by the project, for a task of its own making",
}
_PLOT_NAMES = ("learning_curves", "confusion", "reliability", "mistakes")


@dataclass(frozen=True)
class ReportContext:
    """What the page shows beside the leaderboard.

    Attributes:
        reports: the folder of the models' reports.
        data_summaries: `data.json` by model.
        settings: each model's section of params.yaml.
        previews: PNG of each augmentation policy's preview; one that is not there is left out.
        comparisons: the pairs of models, of `comparisons`.
    """

    reports: Path
    data_summaries: dict[str, dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    previews: dict[str, Path]
    comparisons: pd.DataFrame


def render_report(table: pd.DataFrame, context: ReportContext, notes: Sequence[str], missing: Sequence[str]) -> str:
    """The HTML page; pictures are inside it, nothing is loaded from elsewhere.

    Args:
        table: of `leaderboard`.
        context: what else is shown.
        notes: warnings, shown on top.
        missing: models that are not evaluated.

    Raises:
        ArtifactError: a file of a model's report is missing.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": "{:.2%}".format, "thousands": "{:,}".format, "engineering": format_si}
    by_data = groupby(table_to_records(table), key=lambda row: row["dataset"])
    groups = [_make_dataset_context(name, list(rows), context) for name, rows in by_data]
    template = environment.get_template("report.html")
    return template.render(groups=groups, notes=notes, missing=missing, models=len(table), meanings=PROVENANCE_MEANINGS)


def _make_dataset_context(name: str, rows: list[dict[str, Any]], context: ReportContext) -> dict[str, Any]:
    """What the template shows of a data set and its models."""
    axis = _round_axis_limits(min(row["accuracy_low"] for row in rows), max(row["accuracy_high"] for row in rows))
    policies = {policy for row in rows for policy in collect_policies(context.settings[row["model"]])}
    previews = {policy: preview for policy, preview in sorted(context.previews.items()) if policy in policies}
    pairs = table_to_records(context.comparisons[context.comparisons["dataset"] == name])
    best = rows[0]["model"]
    return {
        "name": name,
        "pairs": pairs,
        "alike": {pair["other"] for pair in pairs if pair["model"] == best and not pair["told_apart"]},
        "provenance": rows[0]["provenance"],
        "facts": context.data_summaries[rows[0]["model"]],
        "axis": axis,
        "sheets": {policy: png_data_uri(preview) for policy, preview in previews.items() if preview.is_file()},
        "models": [
            row | _make_model_context(row["model"], context) | {"bar": _compute_interval_bar(row, axis)} for row in rows
        ],
    }


def collect_policies(settings: Mapping[str, Any]) -> set[str]:
    """The policy of a model's training, and that of the stored views that it is trained on."""
    kind, *name = settings["inputs"].split("/")
    return {settings["augmentation"], *(name[:1] if kind == "augmented" else [])} - {"none"}


def _round_axis_limits(low: float, high: float) -> tuple[float, float]:
    """Round ends of an axis around all intervals: steps of 10 %, or of 1 % where all lie close together."""
    steps = 10 if high - low > 0.1 else 100
    return floor(low * steps) / steps, ceil(high * steps) / steps


def _compute_interval_bar(row: dict[str, Any], axis: tuple[float, float]) -> dict[str, float]:
    """Where a model's interval lies on the axis, in percent of its length."""
    keys = ("accuracy_low", "accuracy", "accuracy_high")
    low, point, high = (100 * (row[key] - axis[0]) / (axis[1] - axis[0]) for key in keys)
    return {"left": round(low, 2), "point": round(point, 2), "width": round(high - low, 2)}


def _make_model_context(name: str, context: ReportContext) -> dict[str, Any]:
    """What the template shows of a model beside its row of the leaderboard."""
    folder, settings = context.reports / name, context.settings[name]
    classes = read_table(folder / "per_class.csv", ["class"], dtype={"class": str}, keep_default_na=False)
    return {
        "architecture": settings["architecture"],
        "cost": int(read_table(folder / "summary.csv", ["multiply_adds"])["multiply_adds"].sum()),
        "backbone": context.data_summaries[name]["backbone"],
        "settings": flatten_dict(settings),
        "metrics": read_json(folder / "metrics.json"),
        "train": read_json(folder / "train.json"),
        "per_class": table_to_records(classes),
        "pictures": {file: png_data_uri(folder / f"{file}.png") for file in _PLOT_NAMES},
    }


def format_si(number: float) -> str:
    """A count for people: three digits and k, M or G."""
    rounded = float(f"{number:.3g}")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            return f"{rounded / size:.3g} {letter}"
    return f"{rounded:g}"


def png_data_uri(path: Path) -> str:
    """A PNG as the `data:` address that holds it."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing; `dvc repro` makes it") from None
