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

from stages.evaluation.tables import read_table, records
from stages.project.console import Refusal
from stages.project.files import read_json
from stages.project.nested import flat

PROVENANCE = {
    "official": "the publisher's images, checked by their checksum",
    "variant": "the publisher's data set, but not byte for byte: re-encoded or re-packed",
    "stand-in": "a small substitute for the real data, which could not be had; not comparable with published figures",
    "own": "data of your own",
    "drawn": "drawn by the project, for a task of its own making",
}
_PICTURES = ("learning_curves", "confusion", "reliability", "mistakes")


@dataclass(frozen=True)
class Material:
    """What the page shows beside the leaderboard.

    Attributes:
        reports: the folder of the models' reports.
        facts: `data.json` by model.
        settings: each model's section of params.yaml.
        sheets: PNG of each augmentation policy's preview; one that is not there is left out.
        comparisons: the pairs of models, of `comparisons`.
    """

    reports: Path
    facts: dict[str, dict[str, Any]]
    settings: dict[str, dict[str, Any]]
    sheets: dict[str, Path]
    comparisons: pd.DataFrame


def page(table: pd.DataFrame, material: Material, notes: Sequence[str], missing: Sequence[str]) -> str:
    """The HTML page; pictures are inside it, nothing is loaded from elsewhere.

    Args:
        table: of `leaderboard`.
        material: what else is shown.
        notes: warnings, shown on top.
        missing: models that are not evaluated.

    Raises:
        Refusal: a file of a model's report is missing.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": "{:.2%}".format, "thousands": "{:,}".format, "engineering": engineering}
    by_data = groupby(records(table), key=lambda row: row["dataset"])
    groups = [_group(name, list(rows), material) for name, rows in by_data]
    template = environment.get_template("report.html")
    return template.render(groups=groups, notes=notes, missing=missing, models=len(table), meanings=PROVENANCE)


def _group(name: str, rows: list[dict[str, Any]], material: Material) -> dict[str, Any]:
    """What the template shows of a data set and its models."""
    axis = _axis(min(row["accuracy_low"] for row in rows), max(row["accuracy_high"] for row in rows))
    policies = {policy for row in rows for policy in policies_of(material.settings[row["model"]])}
    sheets = {policy: sheet for policy, sheet in sorted(material.sheets.items()) if policy in policies}
    pairs = records(material.comparisons[material.comparisons["dataset"] == name])
    best = rows[0]["model"]
    return {
        "name": name,
        "pairs": pairs,
        "alike": {pair["other"] for pair in pairs if pair["model"] == best and not pair["told_apart"]},
        "provenance": rows[0]["provenance"],
        "facts": material.facts[rows[0]["model"]],
        "axis": axis,
        "sheets": {policy: picture(sheet) for policy, sheet in sheets.items() if sheet.is_file()},
        "models": [row | _model(row["model"], material) | {"bar": _bar(row, axis)} for row in rows],
    }


def policies_of(settings: Mapping[str, Any]) -> set[str]:
    """The policy of a model's training, and that of the stored views that it is trained on."""
    kind, *name = settings["inputs"].split("/")
    return {settings["augmentation"], *(name[:1] if kind == "augmented" else [])} - {"none"}


def _axis(low: float, high: float) -> tuple[float, float]:
    """Round ends of an axis around all intervals: steps of 10 %, or of 1 % where all lie close together."""
    steps = 10 if high - low > 0.1 else 100
    return floor(low * steps) / steps, ceil(high * steps) / steps


def _bar(row: dict[str, Any], axis: tuple[float, float]) -> dict[str, float]:
    """Where a model's interval lies on the axis, in percent of its length."""
    keys = ("accuracy_low", "accuracy", "accuracy_high")
    low, point, high = (100 * (row[key] - axis[0]) / (axis[1] - axis[0]) for key in keys)
    return {"left": round(low, 2), "point": round(point, 2), "width": round(high - low, 2)}


def _model(name: str, material: Material) -> dict[str, Any]:
    """What the template shows of a model beside its row of the leaderboard."""
    folder, settings = material.reports / name, material.settings[name]
    classes = read_table(folder / "per_class.csv", ["class"], dtype={"class": str}, keep_default_na=False)
    return {
        "architecture": settings["architecture"],
        "cost": int(read_table(folder / "summary.csv", ["multiply_adds"])["multiply_adds"].sum()),
        "backbone": material.facts[name]["backbone"],
        "settings": flat(settings),
        "metrics": read_json(folder / "metrics.json"),
        "train": read_json(folder / "train.json"),
        "per_class": records(classes),
        "pictures": {file: picture(folder / f"{file}.png") for file in _PICTURES},
    }


def engineering(number: float) -> str:
    """A count for people: three digits and k, M or G."""
    rounded = float(f"{number:.3g}")
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rounded >= size:
            return f"{rounded / size:.3g} {letter}"
    return f"{rounded:g}"


def picture(path: Path) -> str:
    """A PNG as the `data:` address that holds it."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        raise Refusal(f"{path} is missing; `dvc repro` makes it") from None
