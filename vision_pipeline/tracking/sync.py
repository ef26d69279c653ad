"""MLflow as a view of what DVC has: runs of the workspace's models and of DVC's experiments, restored and completed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.paths import DATA, EXPORTS, MODELS, model_report_dir, seed_dirs
from vision_pipeline.tracking.lifecycle import find_or_restore, restore_run
from vision_pipeline.tracking.lineage import HARDWARE_FIELDS
from vision_pipeline.tracking.records import (
    RunRecord,
    evaluation_record,
    export_record,
    iter_csv_rows,
    missing_from_run,
    seed_evaluation_record,
    training_record,
)
from vision_pipeline.tracking.registry import has_files
from vision_pipeline.tracking.run import Run
from vision_pipeline.tracking.search import finished_run_ids, stale_run_ids, training_host
from vision_pipeline.tracking.store import Store, store_errors
from vision_pipeline.vcs.dvc_lock import DvcLock, md5_tags
from vision_pipeline.vcs.experiments import DvcExperiment, read_commits
from vision_pipeline.vcs.git import cat_files, extract_tree

# logs the model to serve, given MLflow's client, the run's id and the model's name; returns whether it could
LogServedModel = Callable[[Any, str, str], bool]


@dataclass(frozen=True)
class SyncResult:
    """The outcome of the sync of a model's run.

    Attributes:
        name: name of the model, with its seed where that is not the first.
        status: "present", "restored", "completed" or "skipped".
        note: what was added, why it was skipped, or what is odd; may be empty.
    """

    name: str
    status: str
    note: str


@dataclass(frozen=True)
class _LocalRun:
    """A training of the workspace.

    Attributes:
        title: name of the model, with its seed where that is not the first.
        folder: folder with its `training.json`.
        reports: folder of its reports.
        records: what its run should have, by part.
        parent: id of the run of the first seed, None for that one.
    """

    title: str
    folder: Path
    reports: Path
    records: dict[str, RunRecord]
    parent: str | None = None


def sync_model(store: Store, name: str, lock: DvcLock, log_served_model: LogServedModel) -> Iterator[SyncResult]:
    """Give a model of the workspace, and each of its seeds, one finished run with all that its stages log.

    Args:
        store: store of the runs.
        name: name of the model.
        lock: the workspace's dvc.lock.
        log_served_model: logs the exported model to serve.

    Yields:
        The outcome for the first seed, then for each further one.

    Raises:
        UserError: a report cannot be read, or the store failed.
    """

    def log_missing_model(run_id: str) -> list[str]:
        missing = _lacks_served_model(store, run_id, name, lock)
        return ["model to serve"] if missing and log_served_model(store.client, run_id, name) else []

    local_run = _LocalRun(name, MODELS / name, model_report_dir(name), collect_records(name, lock))
    yield _sync_run(store, local_run, log_missing_model)
    first_run_ids = finished_run_ids(store, read_json(MODELS / name / "training.json")["key"])
    for folder in seed_dirs(name) if first_run_ids else []:
        records = {"training": training_record(folder), "test": _make_seed_record(name, int(folder.name), lock)}
        yield _sync_run(store, _LocalRun(f"{name}, seed {folder.name}", folder, folder, records, first_run_ids[0]))


def _sync_run(
    store: Store, local_run: _LocalRun, log_more: Callable[[str], list[str]] = lambda run_id: []
) -> SyncResult:
    """Restore or complete the run of a training; `log_more` logs what no record holds, and returns its parts."""
    training = read_json(local_run.folder / "training.json")
    key = training["key"]
    with file_lock(f"run-{key}"), store_errors(store, f"the run of {local_run.title} was not completed"):
        if reason := _explain_skip(store, local_run, key):
            return SyncResult(local_run.title, "skipped", reason)
        finished_ids, stale_ids = finished_run_ids(store, key), stale_run_ids(store, key)
        run_id = find_or_restore(store, training, local_run.reports, local_run.parent)
        run = Run(store, run_id)
        added = ["end of the training"] if stale_ids and not finished_ids else []
        added += _log_missing(run, store.client, local_run.records)
        added += _log_missing_dataset(run, store, DATA / training["settings"]["model"]["inputs"])
        if not run.flush():
            raise UserError(f"the run of {local_run.title} was not completed, as said above; run it again")
        added += log_more(run_id)
    status = ("completed" if added else "present") if finished_ids or stale_ids else "restored"
    if len(finished_ids) > 1:
        added.append(f"{len(finished_ids)} finished runs, of which the newest counts")
    return SyncResult(local_run.title, status, ", ".join(added))


def _make_seed_record(name: str, seed: int, lock: DvcLock) -> RunRecord:
    """Return the test record of one more seed; empty where it was not tested since it was trained."""
    path = model_report_dir(name) / "seeds.csv"
    if not path.exists() or not _is_tested(name, lock):
        return RunRecord({}, {}, {})
    return seed_evaluation_record(next(row for row in iter_csv_rows(path) if int(row["seed"]) == seed))


def _is_tested(name: str, lock: DvcLock) -> bool:
    return lock.is_consistent(f"evaluate@{name}", f"train@{name}", MODELS / name)


def collect_records(name: str, lock: DvcLock) -> dict[str, RunRecord]:
    """Return what the stages log of a model of the workspace, by part; the test of an older training is left out."""
    reports = model_report_dir(name)
    records = {"training": training_record(reports), "lineage": RunRecord({}, md5_tags(lock, name), {})}
    if (reports / "metrics.json").exists() and _is_tested(name, lock):
        records["test"] = evaluation_record(reports, lock.params(f"evaluate@{name}").get("evaluate", {}))
    if _is_exported(name, lock, "parity.json"):
        records["exports"] = export_record(EXPORTS / name, lock.params(f"export@{name}").get("export", {}))
    return records


def _explain_skip(store: Store, local_run: _LocalRun, key: str) -> str:
    """Return why no run can be made from a training's files now; empty where it can."""
    report, name = local_run.reports / "train.json", local_run.title.partition(",")[0]
    if not report.exists():
        return f"{report} is missing; `dvc checkout` or `dvc repro train@{name}` brings it"
    if read_json(report)["key"] != key:
        return f"{report} is of another training than {local_run.folder}; `dvc repro train@{name}` makes both"
    host = training_host(store, key)
    return f"it is being trained, on {host}" if host else ""


def _log_missing(run: Run, client: Any, records: dict[str, RunRecord]) -> list[str]:
    """Log what the run lacks; return the names of these parts."""
    added = []
    for part, record in records.items():
        if missing := missing_from_run(client, str(run.id), record):
            run.log_record(missing)
            added.append(part)
    return added


def _log_missing_dataset(run: Run, store: Store, inputs: Path) -> list[str]:
    """Log the data set that the model was trained on, where the run lacks it and the data exist here."""
    run_inputs = store.client.get_run(run.id).inputs
    if (run_inputs and run_inputs.dataset_inputs) or not (inputs / "dataset.json").exists():
        return []
    run.log_dataset(inputs)
    return ["data set"]


def _lacks_served_model(store: Store, run_id: str, name: str, lock: DvcLock) -> bool:
    """Return whether there is an ONNX file and the run has no model to serve, or that model's files are gone."""
    outputs = store.client.get_run(run_id).outputs
    models = outputs.model_outputs if outputs else []
    return _is_exported(name, lock, "model.onnx") and not any(has_files(store, model.model_id) for model in models)


def _is_exported(name: str, lock: DvcLock, file: str) -> bool:
    return (EXPORTS / name / file).exists() and lock.is_consistent(f"export@{name}", f"train@{name}", MODELS / name)


def sync_experiment(store: Store, experiment: DvcExperiment) -> dict[str, int]:
    """Tag the finished run of each model of a DVC experiment; a model without a run gets one from what git holds.

    Returns:
        How many were "present", "tagged", "restored", or "unknown": the experiment's dvc.lock has no such training.
    """
    counts = dict.fromkeys(("present", "tagged", "restored", "unknown"), 0)
    (text,) = cat_files([(experiment.commit, Path("dvc.lock"))])
    lock = DvcLock(text or "")
    reports = read_commits([experiment.commit])[experiment.commit].reports
    for name, report in reports.items():
        if not report:
            continue
        with file_lock(f"run-{report['key']}"):
            counts[_sync_experiment_run(store, experiment, name, key=report["key"], lock=lock)] += 1
    return counts


def _sync_experiment_run(store: Store, experiment: DvcExperiment, name: str, *, key: str, lock: DvcLock) -> str:
    """Tag or make the run of one model; return what was done."""
    tag = {f"dvc.exp.{experiment.name}": "1"}
    for run_id in finished_run_ids(store, key)[:1]:
        if tag.items() <= store.client.get_run(run_id).data.tags.items():
            return "present"
        store.client.set_tag(run_id, *next(iter(tag.items())))
        return "tagged"
    return "restored" if _restore_experiment_run(store, experiment, name, lock=lock, tag=tag) else "unknown"


def _make_settings(name: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a training in the form of its `training.json`, from the params of dvc.lock."""
    model = dict(params[f"models.{name}"])
    seed, *_ = model.pop("seeds", None) or [params["seed"]]
    return {"name": name, "seed": seed, "subset_seed": params["seed"], "model": model}


def _restore_experiment_run(
    store: Store, experiment: DvcExperiment, name: str, *, lock: DvcLock, tag: dict[str, str]
) -> bool:
    """Make a run from what git holds of a model: its training and its test, without plots, data and exports.

    Returns:
        False where dvc.lock has no such training.
    """
    params = lock.params(f"train@{name}")
    if f"models.{name}" not in params:
        return False
    tags = tag | {"dvc.exp_name": experiment.name, "git.commit": experiment.commit, "git.dirty": "false"}
    with TemporaryDirectory() as folder:
        reports = extract_tree(experiment.commit, model_report_dir(name), Path(folder))
        report = json.loads((reports / "train.json").read_text(encoding="utf-8"))
        settings = _make_settings(name, params) | {field: report[field] for field in HARDWARE_FIELDS if field in report}
        run = Run(store, restore_run(store, settings, reports, None, tags=tags))
        if (reports / "metrics.json").exists() and lock.is_consistent(
            f"evaluate@{name}", f"train@{name}", MODELS / name
        ):
            run.log_record(evaluation_record(reports, lock.params(f"evaluate@{name}").get("evaluate", {})))
        run.flush()
    return True
