"""MLflow as a view of what DVC has: the runs of the workspace's models, restored and completed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from stages.project.console import Refusal
from stages.project.files import read_json
from stages.project.locks import exclusive
from stages.project.paths import DATA, EXPORTS, MODELS, model_report
from stages.tracking.absent import absent
from stages.tracking.dvc_lock import DvcLock
from stages.tracking.records import Record, evaluation, exports, training
from stages.tracking.run import Run
from stages.tracking.runs import found_or_restored
from stages.tracking.search import finished, runs
from stages.tracking.store import Store

# logs the model to serve under a run, given MLflow's client, the run's id and the model's name; whether it could
Serve = Callable[[Any, str, str], bool]


@dataclass(frozen=True)
class Synced:
    """What became of a model's run.

    Attributes:
        name: of the model.
        did: "present", "restored", "completed" or "skipped".
        note: what was added, why it was skipped, or what is odd; may be empty.
    """

    name: str
    did: str
    note: str


def sync_model(store: Store, name: str, lock: DvcLock, serve: Serve) -> Synced:
    """See to it that a model of the workspace has one finished run with all that its stages log.

    Raises:
        Refusal: a report cannot be read, or the store failed.
    """
    trained = read_json(MODELS / name / "training.json")
    key = trained["key"]
    if why := _unfit(store, name, key):
        return Synced(name, "skipped", why)
    with exclusive(f"run-{key}"):
        before = finished(store, key)
        run = Run(store, found_or_restored(store, trained))
        added = _complete(run, records_of(name, lock))
        added += _linked(run, store, DATA / trained["settings"]["model"]["inputs"])
        if run.id and _unserved(store, run.id, name, lock) and serve(store.client, run.id, name):
            added.append("model to serve")
    if run.id is None:
        raise Refusal(f"the run of {name} was not completed: MLflow's store {store.uri} failed; run it again")
    did = ("completed" if added else "present") if before else "restored"
    more = [f"{len(before)} finished runs, of which the newest counts"] if len(before) > 1 else []
    return Synced(name, did, ", ".join([*added, *more]))


def records_of(name: str, lock: DvcLock) -> dict[str, Record]:
    """What the stages log of a model of the workspace; the files of an older training's test are left out."""
    reports, model = model_report(name), MODELS / name
    found = {"training": training(reports)}
    if (reports / "metrics.json").exists() and lock.later(f"evaluate@{name}", f"train@{name}", model):
        found["test"] = evaluation(reports, lock.params(f"evaluate@{name}").get("evaluate", {}))
    if _exported(name, lock, "parity.json"):
        found["exports"] = exports(EXPORTS / name, lock.params(f"export@{name}").get("export", {}))
    return found


def _unfit(store: Store, name: str, key: str) -> str:
    """Why a model's files make no run now; empty where they do."""
    report = model_report(name) / "train.json"
    if not report.exists():
        return f"{report} is missing; `dvc checkout` or `dvc repro train@{name}` brings it"
    if read_json(report)["key"] != key:
        return f"{report} is of another training than {MODELS / name}; `dvc repro train@{name}` makes both"
    if runs(store, f"tags.`pipeline.key` = '{key}' and attributes.status = 'RUNNING'"):
        return "it is being trained"
    return ""


def _complete(run: Run, records: dict[str, Record]) -> list[str]:
    """Log what the run lacks; what that was."""
    added = []

    def add(what: str, record: Record, client: Any) -> None:
        if lacking := absent(client, str(run.id), record):
            run.record(lacking)
            added.append(what)

    for what, record in records.items():
        run.do(what, partial(add, what, record))
    return added


def _linked(run: Run, store: Store, inputs: Path) -> list[str]:
    """Log the data set that the model was trained on, where the run lacks it and it is there."""
    known = store.client.get_run(run.id).inputs if run.id else None
    if run.id is None or (known and known.dataset_inputs) or not (inputs / "dataset.json").exists():
        return []
    run.dataset(inputs)
    return ["data set"]


def _unserved(store: Store, run_id: str, name: str, lock: DvcLock) -> bool:
    """Whether there is an ONNX file and the run has no model to serve."""
    outputs = store.client.get_run(run_id).outputs
    return _exported(name, lock, "model.onnx") and not (outputs and outputs.model_outputs)


def _exported(name: str, lock: DvcLock, file: str) -> bool:
    return (EXPORTS / name / file).exists() and lock.later(f"export@{name}", f"train@{name}", MODELS / name)
