"""What a stage logs of a model, read from the files that DVC keeps: at once, and when a run is restored."""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.project.files import read_json

TRAINING = ("train.json", "history.csv", "layers.csv")
NOTE = "mlflow.note.content"  # MLflow shows it as the description
_LAYERS = ("summary.csv", "summary.txt")  # lie beside the training's files, not among those of the test


@dataclass(frozen=True)
class Record:
    """What one stage logs.

    Attributes:
        metrics: by step and name.
        tags: by name.
        artifacts: the files, by the run's folder that they belong to ("" is its root).
    """

    metrics: dict[int, dict[str, float]]
    tags: dict[str, str]
    artifacts: dict[str, list[Path]]

    def __bool__(self) -> bool:
        return bool(self.metrics or self.tags or any(self.artifacts.values()))


def training(folder: Path) -> Record:
    """Of a model's reports: each epoch's figures, and what is logged after the last."""
    record = after_training(folder)
    metrics = record.metrics
    for row in rows(folder / "history.csv"):
        epoch = int(row.pop("epoch"))
        metrics[epoch] = {name: float(value) for name, value in row.items() if value} | metrics.get(epoch, {})
    return record


def after_training(folder: Path) -> Record:
    """Of a model's reports: each layer's figures by epoch, as `layers.<layer>.<figure>`, and the files."""
    files = [folder / file for file in TRAINING if (folder / file).exists()]
    return Record(_layer_figures(folder / "layers.csv"), {}, {"": files})


def _layer_figures(path: Path) -> dict[int, dict[str, float]]:
    """Of a `layers.csv`, by epoch: each layer's figures as `layers.<layer>.<figure>`."""
    found: dict[int, dict[str, float]] = {}
    for row in rows(path):
        epoch, layer = int(row.pop("epoch")), row.pop("layer")
        figures = {f"layers.{layer}.{figure}": float(value) for figure, value in row.items() if value}
        found.setdefault(epoch, {}).update(figures)
    return found


def evaluation(folder: Path, settings: dict[str, Any]) -> Record:
    """Of a model's reports: the test's figures, each class's F1, tables and pictures.

    Args:
        folder: of the reports.
        settings: that it was tested with.
    """
    known, sizes = read_json(folder / "metrics.json"), ("parameters", "trainable_parameters")
    figures = {key: value for key, value in known.items() if key not in sizes and not isinstance(value, str)}
    if "bits_per_character" not in known:  # of a text's many symbols most would get the same name
        figures |= f1_by_class(folder / "per_class.csv")
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith(".")]
    return Record(
        {0: {f"test.{key}": float(value) for key, value in figures.items()}},
        {f"evaluate.{key}": str(value) for key, value in settings.items()} | {NOTE: _note(known)},
        {
            "": [file for file in files if file.name in _LAYERS],
            "test": [file for file in files if file.name not in (*TRAINING, *_LAYERS)],
        },
    )


def evaluation_of_seed(figures: dict[str, Any]) -> Record:
    """Of a training with one more seed: its figures on the test set."""
    return Record({0: {f"test.{key}": float(figures[key]) for key in ("accuracy", "loss")}}, {}, {})


def _note(figures: dict[str, Any]) -> str:
    """A model's accuracy, its interval and on what, in a line that a table has room for."""
    accuracy, low, high = (f"{figures[key]:.2%}" for key in ("accuracy", "accuracy_low", "accuracy_high"))
    return f"{accuracy} ({low} to {high}), {figures['dataset']}, {figures['provenance']}"


def f1_by_class(path: Path) -> dict[str, float]:
    """Return F1 of each class as `f1.<class>`, by names that MLflow admits."""
    table = list(rows(path))
    names = metric_names([row["class"] for row in table])
    return {f"f1.{name}": float(row["f1"]) for name, row in zip(names, table, strict=True)}


def metric_names(classes: Sequence[str]) -> list[str]:
    """Return a name for each class that MLflow admits in a metric's name, all different.

    Characters that it does not admit become `_`, and at most 100 are kept. Classes that then have the name of another
    get their index at its end.
    """
    admitted = [re.sub(r"[^-\w. ]", "_", name)[:100] for name in classes]
    taken = {name for name, class_name in zip(admitted, classes, strict=True) if name == class_name}
    counts = Counter(admitted)
    names = []
    for index, (name, class_name) in enumerate(zip(admitted, classes, strict=True)):
        if name != class_name:
            name = f"{name}.{index}" if counts[name] > 1 else name
            while name in taken:
                name = f"{name}.{index}"
            taken.add(name)
        names.append(name)
    return names


def exports(folder: Path, settings: dict[str, Any]) -> Record:
    """Of a model's exports: how far the formats are apart, and the card.

    Args:
        folder: of the exports.
        settings: that they were compared with.
    """
    checked = read_json(folder / "parity.json")
    gap = max(found["max_logit_gap"] for found in checked["formats"].values())
    return Record(
        {0: {"export.accuracy": checked["reference"]["accuracy"], "export.max_logit_gap": gap}},
        {f"export.{key}": str(value) for key, value in settings.items()},
        {"export": [folder / "card.md", folder / "parity.json"]},
    )


def rows(path: Path) -> Iterator[dict[str, str]]:
    """The rows of a CSV file; none where it is missing, as what DVC has not brought yet is."""
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
