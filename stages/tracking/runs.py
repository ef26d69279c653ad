"""One MLflow run per model and key: made by train, found again by evaluate and export."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.params import load
from stages.project.files import read_json
from stages.project.paths import MODELS, model_report
from stages.project.stopping import Stopped
from stages.tracking.lineage import experiment_tags, lineage_tags
from stages.tracking.run import Run, give_up
from stages.tracking.store import Store, exclusive, mode, open_store


def _opened() -> Store | None:
    if mode() == "off":
        return None
    try:
        return open_store()
    except Exception as error:
        give_up("this stage", error)
        return None


@contextmanager
def train_run(name: str, key: str, params: dict[str, Any], inputs: Path, tags: dict[str, str]) -> Iterator[Run]:
    """The new run of a training; its status tells how the block ended.

    Args:
        name: of the model.
        key: of the training.
        params: everything that it was trained with.
        inputs: the data set's folder.
        tags: more about it.
    """
    store = _opened()
    run = Run(store, None)
    if store:
        run.do("the run", lambda client: setattr(run, "id", _create(store, name, key, tags)))
        run.params(_flat(params))
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

    A model that DVC restored from its cache has no run here: it is made again from the model's reports.
    """
    store = _opened()
    run = Run(store, None)
    if store:
        with exclusive(f"run-{_key_of(name)}"):
            run.do("the run", lambda client: setattr(run, "id", _found(store, name) or _restored(store, name)))
        run.tags(experiment_tags() or {"dvc.stage": os.environ.get("DVC_STAGE", "by hand")})
    yield run


def _create(store: Store, name: str, key: str, tags: dict[str, str]) -> str:
    _close_dead_runs(store, key)
    tags = lineage_tags() | {"pipeline.key": key, "model": name} | tags
    return store.client.create_run(store.experiment_id, tags=tags, run_name=name).info.run_id


def _runs(store: Store, key: str, more: str = "") -> list[Any]:
    """Runs of a key, newest first."""
    return store.client.search_runs(
        [store.experiment_id], f"tags.`pipeline.key` = '{key}'{more}", order_by=["attributes.start_time DESC"]
    )


def _close_dead_runs(store: Store, key: str) -> None:
    """A training that was killed outright could not say so: its run would seem to go on for ever."""
    for run in _runs(store, key, " and attributes.status = 'RUNNING'"):
        tags = run.data.tags
        here = tags.get("host") == lineage_tags()["host"]
        if here and not Path(f"/proc/{tags.get('host.pid')}").exists():
            store.client.set_terminated(run.info.run_id, "KILLED")


def _key_of(name: str) -> str:
    return (MODELS / name / "key").read_text().strip()


def _found(store: Store, name: str) -> str | None:
    runs = _runs(store, _key_of(name), " and attributes.status = 'FINISHED'")
    return runs[0].info.run_id if runs else None


def _restored(store: Store, name: str) -> str:
    """A run from what DVC kept of a training: params, history, lineage."""
    report = read_json(model_report(name) / "train.json")
    run = Run(store, _create(store, name, _key_of(name), {"restored": "true", **report_tags(report)}))
    (model,) = load(f"models.{name}")
    run.params(_flat(model.model_dump()))
    run.dataset(Path("data") / model.inputs)
    for epoch in _history(model_report(name) / "history.csv"):
        run.metrics({k: v for k, v in epoch.items() if k != "epoch"}, step=int(epoch["epoch"]))
    run.artifacts(model_report(name) / "history.csv", model_report(name) / "train.json")
    run.finish("FINISHED")
    if run.id is None:
        raise OSError("the store failed while a run was being restored")
    return run.id


def _history(path: Path) -> list[dict[str, float]]:
    import csv

    with path.open(newline="") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def report_tags(report: dict[str, Any]) -> dict[str, str]:
    """The entries of train.json that runs are filtered by."""
    names = ("dataset", "provenance", "device", "precision", "threads", "code")
    return {name: str(report[name]) for name in names if name in report}


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flat
