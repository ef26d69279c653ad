"""One MLflow run per model and key: made by train, found again by evaluate and export."""

import csv
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.project.files import read_json
from stages.project.locks import exclusive
from stages.project.paths import DATA, MODELS, SYNTHETIC, model_report
from stages.project.stopping import Stopped
from stages.tracking.lineage import experiment_mark, lineage_tags
from stages.tracking.run import Run, give_up
from stages.tracking.store import Store, mode, open_store


def _opened() -> Store | None:
    if mode() == "off":
        return None
    try:
        return open_store()
    except Exception as error:
        give_up("this stage", error)
        return None


@contextmanager
def train_run(
    name: str,
    settings: dict[str, Any],
    inputs: Path,
    facts: dict[str, Any],
    again: bool = False,
    kind: str = "model",
    counted_by: str = "val_accuracy",
) -> Iterator[Run]:
    """The run of a training; its status tells how the block ended.

    A run of the same key that was killed or failed is gone on with, for its training is.

    Args:
        name: of the model or generator.
        settings: everything that it is trained with, logged as params.
        inputs: the data set's folder.
        facts: its `key` and more that runs are filtered by, logged as tags.
        again: the training's state is at hand: it may have finished, and DVC not have taken note.
        kind: what it is that is trained: "model" or "generator".
        counted_by: the metric that tells which epochs or steps were logged before.
    """
    store = _opened()
    run = Run(store, None)
    if store:
        run.do("the run", lambda client: _begin(run, store, {kind: name}, facts, again, counted_by))
        run.params(_flat(settings))
        if not run.epochs:
            run.dataset(inputs)
    try:
        yield run
    except BaseException as error:
        run.finish("KILLED" if isinstance(error, (Stopped, KeyboardInterrupt)) else "FAILED")
        raise
    run.finish("FINISHED")


@contextmanager
def attach(name: str) -> Iterator[Run]:
    """The finished run of a trained model, found by its key.

    A model that DVC restored from its cache has no run here: it is made again from what DVC kept of it.
    """
    store = _opened()
    run = Run(store, None)
    if store:
        training = read_json(MODELS / name / "training.json")
        with exclusive(f"run-{training['key']}"):
            run.do("the run", lambda client: setattr(run, "id", _found(store, training) or _restored(store, training)))
        run.tags(experiment_mark())
    yield run


@contextmanager
def attach_generator(name: str) -> Iterator[Run]:
    """The finished run of a generator; one that DVC restored from its cache has none here, and logs nothing."""
    store = _opened()
    run = Run(store, None)
    if store:
        training = read_json(SYNTHETIC / name / "training.json")
        run.do("the run", lambda client: setattr(run, "id", _found(store, training)))
    yield run if run.id else Run(None, None)


def _begin(run: Run, store: Store, named: dict[str, str], facts: dict[str, Any], again: bool, counted_by: str) -> None:
    """Give `run` the id of an unfinished run of the same key, or of a new one."""
    _close_dead_runs(store, named)
    ended = {"KILLED", "FAILED"} | ({"FINISHED"} if again else set())
    before = [one for one in _runs(store, f"tags.`pipeline.key` = '{facts['key']}'") if one.info.status in ended]
    if not before:
        run.id = _create(store, named, facts)
        return
    run.id = before[0].info.run_id
    store.client.update_run(run.id, status="RUNNING")
    run.tags(lineage_tags() | {"resumed": "true"})
    history = store.client.get_metric_history(run.id, counted_by)
    run.epochs = max((point.step for point in history), default=0)


def _create(store: Store, named: dict[str, str], facts: dict[str, Any]) -> str:
    tags = lineage_tags() | named | {_TAGS.get(fact, fact): str(value) for fact, value in facts.items()}
    (name,) = named.values()
    return store.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id


# `key` alone would say little in a table of runs
_TAGS = {"key": "pipeline.key"}


def _runs(store: Store, condition: str) -> list[Any]:
    """Runs of the project's experiment, newest first."""
    return store.client.search_runs([store.experiment_id], condition, order_by=["attributes.start_time DESC"])


def _close_dead_runs(store: Store, named: dict[str, str]) -> None:
    """A training that was killed outright could not say so: its run would seem to go on for ever."""
    ((kind, name),) = named.items()
    for run in _runs(store, f"tags.{kind} = '{name}' and attributes.status = 'RUNNING'"):
        tags = run.data.tags
        if tags.get("host") == socket.gethostname() and not _alive(int(tags.get("host.pid", 0))):
            store.client.set_terminated(run.info.run_id, "KILLED")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _found(store: Store, training: dict[str, Any]) -> str | None:
    runs = _runs(store, f"tags.`pipeline.key` = '{training['key']}' and attributes.status = 'FINISHED'")
    return runs[0].info.run_id if runs else None


def _restored(store: Store, training: dict[str, Any]) -> str:
    """A run from what DVC kept of a training: params, history, lineage."""
    settings, name = training["settings"], training["settings"]["name"]
    report = read_json(model_report(name) / "train.json")
    run = Run(store, _create(store, {"model": name}, {"restored": "true", **{fact: report[fact] for fact in _FACTS}}))
    run.params(_flat(settings))
    run.dataset(DATA / settings["model"]["inputs"])
    for epoch in _history(model_report(name) / "history.csv"):
        run.metrics({k: v for k, v in epoch.items() if k != "epoch"}, step=int(epoch["epoch"]))
    run.layers(model_report(name) / "layers.csv")
    run.artifacts(*(model_report(name) / file for file in ("train.json", "history.csv", "layers.csv")))
    run.finish("FINISHED")
    if run.id is None:
        raise OSError("the store failed while a run was being restored")
    return run.id


# of train.json, as `train` tags them
_FACTS = (
    "key", "code", "dataset", "provenance", "synthetic", "synthetic_images", "device", "machine", "precision",
    "precision_by", "threads", "devices",
)  # fmt: skip


def _history(path: Path) -> list[dict[str, float]]:
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
