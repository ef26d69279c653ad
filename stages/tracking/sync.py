"""MLflow as a view of what DVC has: the runs of the workspace's models, restored and completed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stages.project.console import Refusal
from stages.project.files import read_json
from stages.project.locks import exclusive
from stages.project.paths import DATA, EXPORTS, MODELS, model_report, seed_folders
from stages.tracking.absent import absent
from stages.tracking.dvc_lock import DvcLock, lock_tags
from stages.tracking.records import Record, evaluation, evaluation_of_seed, exports, rows, training
from stages.tracking.registry import has_files
from stages.tracking.run import Run
from stages.tracking.runs import found_or_restored
from stages.tracking.search import being_trained, finished, left_open
from stages.tracking.store import Store, answering

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


@dataclass(frozen=True)
class _Trained:
    """What is left of a training of the workspace: its folders, what was logged of it, the run above its own."""

    title: str
    folder: Path
    reports: Path
    records: dict[str, Record]
    parent: str | None = None


def sync_model(store: Store, name: str, lock: DvcLock, serve: Serve) -> Iterator[Synced]:
    """See to it that a model of the workspace has one finished run with all that its stages log, and so each seed.

    Raises:
        Refusal: a report cannot be read, or the store failed.
    """

    def served(run_id: str) -> list[str]:
        missing = _unserved(store, run_id, name, lock)
        return ["model to serve"] if missing and serve(store.client, run_id, name) else []

    trained = _Trained(name, MODELS / name, model_report(name), records_of(name, lock))
    yield _synced(store, trained, served)
    runs_of_first = finished(store, read_json(MODELS / name / "training.json")["key"])
    for folder in seed_folders(name) if runs_of_first else []:
        records = {"training": training(folder), "test": _test_of_seed(name, int(folder.name), lock)}
        yield _synced(store, _Trained(f"{name}, seed {folder.name}", folder, folder, records, runs_of_first[0]))


def _synced(store: Store, trained: _Trained, more: Callable[[str], list[str]] = lambda run_id: []) -> Synced:
    """Restore or complete the run of a training; `more` logs, under a run's id, what no record holds."""
    about = read_json(trained.folder / "training.json")
    key = about["key"]
    with exclusive(f"run-{key}"), answering(store, f"the run of {trained.title} was not completed"):
        if why := _unfit(store, trained, key):
            return Synced(trained.title, "skipped", why)
        before, unfinished = finished(store, key), left_open(store, key)
        run_id = found_or_restored(store, about, trained.reports, trained.parent)
        run = Run(store, run_id)
        added = ["end of the training"] if unfinished and not before else []
        added += _complete(run, store.client, trained.records)
        added += _linked(run, store, DATA / about["settings"]["model"]["inputs"])
        if not run.settle():
            raise Refusal(f"the run of {trained.title} was not completed, as said above; run it again")
        added += more(run_id)
    did = ("completed" if added else "present") if before or unfinished else "restored"
    if len(before) > 1:
        added.append(f"{len(before)} finished runs, of which the newest counts")
    return Synced(trained.title, did, ", ".join(added))


def _test_of_seed(name: str, seed: int, lock: DvcLock) -> Record:
    """The figures of one more seed on the test set; nothing where it was not tested since it was trained."""
    path = model_report(name) / "seeds.csv"
    if not path.exists() or not _tested(name, lock):
        return Record({}, {}, {})
    return evaluation_of_seed(next(row for row in rows(path) if int(row["seed"]) == seed))


def _tested(name: str, lock: DvcLock) -> bool:
    return lock.later(f"evaluate@{name}", f"train@{name}", MODELS / name)


def records_of(name: str, lock: DvcLock) -> dict[str, Record]:
    """What the stages log of a model of the workspace; the files of an older training's test are left out."""
    reports = model_report(name)
    found = {"training": training(reports), "lineage": Record({}, lock_tags(lock, name), {})}
    if (reports / "metrics.json").exists() and _tested(name, lock):
        found["test"] = evaluation(reports, lock.params(f"evaluate@{name}").get("evaluate", {}))
    if _exported(name, lock, "parity.json"):
        found["exports"] = exports(EXPORTS / name, lock.params(f"export@{name}").get("export", {}))
    return found


def _unfit(store: Store, trained: _Trained, key: str) -> str:
    """Why a training's files make no run now; empty where they do."""
    report, name = trained.reports / "train.json", trained.title.partition(",")[0]
    if not report.exists():
        return f"{report} is missing; `dvc checkout` or `dvc repro train@{name}` brings it"
    if read_json(report)["key"] != key:
        return f"{report} is of another training than {trained.folder}; `dvc repro train@{name}` makes both"
    host = being_trained(store, key)
    return f"it is being trained, on {host}" if host else ""


def _complete(run: Run, client: Any, records: dict[str, Record]) -> list[str]:
    """Log what the run lacks; what that was."""
    added = []
    for what, record in records.items():
        if lacking := absent(client, str(run.id), record):
            run.record(lacking)
            added.append(what)
    return added


def _linked(run: Run, store: Store, inputs: Path) -> list[str]:
    """Log the data set that the model was trained on, where the run lacks it and it is there."""
    known = store.client.get_run(run.id).inputs
    if (known and known.dataset_inputs) or not (inputs / "dataset.json").exists():
        return []
    run.dataset(inputs)
    return ["data set"]


def _unserved(store: Store, run_id: str, name: str, lock: DvcLock) -> bool:
    """Return whether there is an ONNX file and the run has no model to serve, or that one's files are gone."""
    outputs = store.client.get_run(run_id).outputs
    models = outputs.model_outputs if outputs else []
    return _exported(name, lock, "model.onnx") and not any(has_files(store, model.model_id) for model in models)


def _exported(name: str, lock: DvcLock, file: str) -> bool:
    return (EXPORTS / name / file).exists() and lock.later(f"export@{name}", f"train@{name}", MODELS / name)
