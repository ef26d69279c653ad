"""What of a record an MLflow run does not have."""

from math import isclose
from pathlib import PurePosixPath
from typing import Any

from stages.tracking.records import Record

_ROUNDED = 1e-6  # tables hold six decimals


def absent(client: Any, run_id: str, record: Record) -> Record:
    """The part of `record` that the run lacks; empty where it has all of it."""
    known = client.get_run(run_id).data
    metrics: dict[int, dict[str, float]] = {}
    for name, wanted in _by_name(record).items():
        for step in _steps(client, run_id, name, wanted, known.metrics.get(name)):
            metrics.setdefault(step, {})[name] = wanted[step]
    tags = {name: value for name, value in record.tags.items() if known.tags.get(name) != value}
    artifacts = {}
    for folder, files in record.artifacts.items():
        there = {PurePosixPath(one.path).name for one in client.list_artifacts(run_id, folder or None)}
        if missing := [file for file in files if file.name not in there]:
            artifacts[folder] = missing
    return Record(metrics, tags, artifacts)


def _by_name(record: Record) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for step, figures in record.metrics.items():
        for name, value in figures.items():
            found.setdefault(name, {})[step] = value
    return found


def _steps(client: Any, run_id: str, name: str, wanted: dict[int, float], latest: float | None) -> list[int]:
    """Those that are not logged. A lone figure is held against the run's: a test may have been run again."""
    if latest is None:
        return list(wanted)
    if len(wanted) == 1:
        ((step, value),) = wanted.items()
        return [] if isclose(value, latest, rel_tol=_ROUNDED, abs_tol=_ROUNDED) else [step]
    logged = {point.step for point in client.get_metric_history(run_id, name)}
    return [step for step in wanted if step not in logged]
