"""Records: metrics, tags and files that a stage logs of a model, read from the files that DVC keeps.

A stage logs them at once; `vision sync` logs again what a run lacks.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path, PurePosixPath
from typing import Any

from vision_pipeline.core.files import read_json

TRAINING_FILES = ("train.json", "history.csv", "layers.csv")
DESCRIPTION_TAG = "mlflow.note.content"  # MLflow shows it as the description
_TOLERANCE = 1e-6  # tables hold six decimals
_SUMMARY_FILES = ("summary.csv", "summary.txt")  # logged beside the training's files, not below test/


@dataclass(frozen=True)
class RunRecord:
    """Metrics, tags and files that one stage logs.

    Attributes:
        metrics: values by step and name.
        tags: values by name.
        artifacts: files by the run's folder that they are logged to ("" is its root).
    """

    metrics: dict[int, dict[str, float]]
    tags: dict[str, str]
    artifacts: dict[str, list[Path]]

    def __bool__(self) -> bool:
        return bool(self.metrics or self.tags or any(self.artifacts.values()))


def iter_csv_rows(path: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of a CSV file; none where it is missing, perhaps because DVC has not checked it out."""
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)


def training_record(folder: Path) -> RunRecord:
    """Return the record of a training: the metrics of each epoch, those of the layers, and the files.

    Args:
        folder: folder of the training's reports.
    """
    record = after_training_record(folder)
    metrics = record.metrics
    for row in iter_csv_rows(folder / "history.csv"):
        epoch = int(row.pop("epoch"))
        metrics[epoch] = {name: float(value) for name, value in row.items() if value} | metrics.get(epoch, {})
    return record


def after_training_record(folder: Path) -> RunRecord:
    """Return what a training logs after its last epoch: the metrics of the layers, and the files.

    Args:
        folder: folder of the training's reports.
    """
    files = [folder / file for file in TRAINING_FILES if (folder / file).exists()]
    return RunRecord(_read_layer_metrics(folder / "layers.csv"), {}, {"": files})


def _read_layer_metrics(path: Path) -> dict[int, dict[str, float]]:
    """Return the metrics of each layer by epoch, from a `layers.csv`, as `layers.<layer>.<statistic>`."""
    metrics_by_epoch: dict[int, dict[str, float]] = {}
    for row in iter_csv_rows(path):
        epoch, layer = int(row.pop("epoch")), row.pop("layer")
        metrics = {f"layers.{layer}.{statistic}": float(value) for statistic, value in row.items() if value}
        metrics_by_epoch.setdefault(epoch, {}).update(metrics)
    return metrics_by_epoch


def evaluation_record(folder: Path, settings: dict[str, Any]) -> RunRecord:
    """Return the record of a test: its metrics, F1 of each class, tables and plots.

    Args:
        folder: folder of the model's reports.
        settings: settings that it was tested with.
    """
    report, sizes = read_json(folder / "metrics.json"), ("parameters", "trainable_parameters")
    metrics = {key: value for key, value in report.items() if key not in sizes and not isinstance(value, str)}
    if "bits_per_character" not in report:  # most of a text's many symbols would get the same name
        metrics |= read_f1_by_class(folder / "per_class.csv")
    files = [file for file in sorted(folder.iterdir()) if file.is_file() and not file.name.startswith(".")]
    return RunRecord(
        {0: {f"test.{key}": float(value) for key, value in metrics.items()}},
        {f"evaluate.{key}": str(value) for key, value in settings.items()}
        | {DESCRIPTION_TAG: _format_description(report)},
        {
            "": [file for file in files if file.name in _SUMMARY_FILES],
            "test": [file for file in files if file.name not in (*TRAINING_FILES, *_SUMMARY_FILES)],
        },
    )


def seed_evaluation_record(metrics: dict[str, Any]) -> RunRecord:
    """Return the record of the test of one more seed.

    Args:
        metrics: its `accuracy` and `loss` on the test set.
    """
    return RunRecord({0: {f"test.{key}": float(metrics[key]) for key in ("accuracy", "loss")}}, {}, {})


def _format_description(metrics: dict[str, Any]) -> str:
    """Return accuracy, its interval and the data, in a line that a table has room for."""
    accuracy, low, high = (f"{metrics[key]:.2%}" for key in ("accuracy", "accuracy_low", "accuracy_high"))
    return f"{accuracy} ({low} to {high}), {metrics['dataset']}, {metrics['provenance']}"


def read_f1_by_class(path: Path) -> dict[str, float]:
    """Return F1 of each class from a `per_class.csv`, as `f1.<class>`, by names that MLflow admits."""
    table = list(iter_csv_rows(path))
    names = make_metric_names([row["class"] for row in table])
    return {f"f1.{name}": float(row["f1"]) for name, row in zip(names, table, strict=True)}


def make_metric_names(classes: Sequence[str]) -> list[str]:
    """Return a name for each class that MLflow admits in a metric's name, all different.

    Characters that it does not admit become `_`, and at most 100 are kept. A class that then has another's name gets
    its index as a suffix.
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


def export_record(folder: Path, settings: dict[str, Any]) -> RunRecord:
    """Return the record of an export: accuracy, the largest gap between the formats, and the card.

    Args:
        folder: folder of the model's exports.
        settings: settings that they were compared with.
    """
    parity = read_json(folder / "parity.json")
    max_gap = max(result["max_logit_gap"] for result in parity["formats"].values())
    return RunRecord(
        {0: {"export.accuracy": parity["reference"]["accuracy"], "export.max_logit_gap": max_gap}},
        {f"export.{key}": str(value) for key, value in settings.items()},
        {"export": [folder / "card.md", folder / "parity.json"]},
    )


def missing_from_run(client: Any, run_id: str, record: RunRecord) -> RunRecord:
    """Return the part of `record` that a run lacks; empty where it has all of it.

    Args:
        client: MLflow's.
        run_id: id of the run.
        record: what the run should have.
    """
    logged = client.get_run(run_id).data
    metrics: dict[int, dict[str, float]] = {}
    for name, expected in _group_by_name(record).items():
        for step in _find_missing_steps(client, run_id, name, expected=expected, latest=logged.metrics.get(name)):
            metrics.setdefault(step, {})[name] = expected[step]
    tags = {name: value for name, value in record.tags.items() if logged.tags.get(name) != value}
    artifacts = {}
    for folder, files in record.artifacts.items():
        existing = {PurePosixPath(artifact.path).name for artifact in client.list_artifacts(run_id, folder or None)}
        if missing := [file for file in files if file.name not in existing]:
            artifacts[folder] = missing
    return RunRecord(metrics, tags, artifacts)


def _group_by_name(record: RunRecord) -> dict[str, dict[int, float]]:
    values_by_name: dict[str, dict[int, float]] = {}
    for step, values in record.metrics.items():
        for name, value in values.items():
            values_by_name.setdefault(name, {})[step] = value
    return values_by_name


def _find_missing_steps(
    client: Any, run_id: str, name: str, *, expected: dict[int, float], latest: float | None
) -> list[int]:
    """Return the steps of a metric that are not logged.

    A metric of one step is compared with the run's latest value, because a test may have been repeated.
    """
    if latest is None:
        return list(expected)
    if len(expected) == 1:
        ((step, value),) = expected.items()
        return [] if isclose(value, latest, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE) else [step]
    logged = {point.step for point in client.get_metric_history(run_id, name)}
    return [step for step in expected if step not in logged]
