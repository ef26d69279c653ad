"""The HTML report: leaderboard, data sets and models in one file that needs no network."""

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


@dataclass(frozen=True, kw_only=True)
class ReportContext:
    """The content of the report beside the leaderboard.

    Attributes:
        reports: folder of the models' reports.
        data_summaries: `data.json` by model.
        settings: section of params.yaml by model.
        previews: PNG file of the preview by augmentation policy; a missing file is left out.
        comparisons: the result of `compare_all`.
    """

    reports: Path
    data_summaries: dict[str, dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    previews: dict[str, Path]
    comparisons: pd.DataFrame


def render_report(table: pd.DataFrame, context: ReportContext, notes: Sequence[str], missing: Sequence[str]) -> str:
    """Return the HTML page; images are embedded, and it loads nothing.

    Args:
        table: the result of `build_leaderboard`.
        context: the content beside the leaderboard.
        notes: warnings for the top of the page, the result of `caveats`.
        missing: models that are not evaluated.

    Raises:
        UserError: a JSON file of a model's report is missing or not valid.
        ArtifactError: a table or a plot of it is missing or damaged.
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
    """Return the template's values for a data set and its models."""
    axis = _round_axis_limits(min(row["accuracy_low"] for row in rows), max(row["accuracy_high"] for row in rows))
    policies = {policy for row in rows for policy in collect_policies(context.settings[row["model"]])}
    previews = {policy: preview for policy, preview in sorted(context.previews.items()) if policy in policies}
    pairs = table_to_records(context.comparisons[context.comparisons["dataset"] == name])
    best = rows[0]["model"]
    return {
        "name": name,
        "pairs": pairs,
        "tied_with_best": {pair["other"] for pair in pairs if pair["model"] == best and not pair["told_apart"]},
        "provenance": rows[0]["provenance"],
        "summary": context.data_summaries[rows[0]["model"]],
        "axis": axis,
        "previews": {policy: png_data_uri(preview) for policy, preview in previews.items() if preview.is_file()},
        "models": [
            row | _make_model_context(row["model"], context) | {"interval": _compute_interval_bar(row, axis)}
            for row in rows
        ],
    }


def collect_policies(settings: Mapping[str, Any]) -> set[str]:
    """Return the augmentation policies of a model: that of its training, and that of the stored views it reads."""
    kind, *name = settings["inputs"].split("/")
    return {settings["augmentation"], *(name[:1] if kind == "augmented" else [])} - {"none"}


def _round_axis_limits(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis that holds all intervals: multiples of 10 %, or of 1 % for a narrow range."""
    steps = 10 if high - low > 0.1 else 100
    return floor(low * steps) / steps, ceil(high * steps) / steps


def _compute_interval_bar(row: dict[str, Any], axis: tuple[float, float]) -> dict[str, float]:
    """Return the place of a model's interval on the axis, in percent of the axis."""
    keys = ("accuracy_low", "accuracy", "accuracy_high")
    low, point, high = (100 * (row[key] - axis[0]) / (axis[1] - axis[0]) for key in keys)
    return {"left": round(low, 2), "point": round(point, 2), "width": round(high - low, 2)}


def _make_model_context(name: str, context: ReportContext) -> dict[str, Any]:
    """Return the template's values for a model beside its row of the leaderboard."""
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
        "plots": {name: png_data_uri(folder / f"{name}.png") for name in _PLOT_NAMES},
    }


def format_si(number: float) -> str:
    """Return a count with three significant digits and the prefix k, M or G."""
    rounded = float(f"{number:.3g}")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            return f"{rounded / size:.3g} {letter}"
    return f"{rounded:g}"


def png_data_uri(path: Path) -> str:
    """Return a `data:` URI with the content of a PNG file.

    Raises:
        ArtifactError: the file is missing.
    """
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing; `dvc repro` makes it") from None
