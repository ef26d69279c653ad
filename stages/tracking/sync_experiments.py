"""The MLflow runs of DVC's experiments: tagged, or made again from what git holds."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.project.locks import exclusive
from stages.project.paths import MODELS, model_report
from stages.tracking.dvc_lock import DvcLock
from stages.tracking.experiments import Experiment, states
from stages.tracking.git import contents, unpack
from stages.tracking.lineage import RAN_ON
from stages.tracking.records import evaluation
from stages.tracking.restore import restored
from stages.tracking.run import Run
from stages.tracking.search import finished
from stages.tracking.store import Store


def sync_experiment(store: Store, experiment: Experiment) -> dict[str, int]:
    """Tag the finished run of each of an experiment's models; of one that has no run, make it from git.

    Returns:
        How many were "present", "tagged", "restored", or "unknown": the experiment's dvc.lock has no such training.
    """
    counts = dict.fromkeys(("present", "tagged", "restored", "unknown"), 0)
    (text,) = contents([(experiment.commit, Path("dvc.lock"))])
    lock = DvcLock(text or "")
    reports = states([experiment.commit])[experiment.commit].reports
    for name, report in reports.items():
        if not report:
            continue
        with exclusive(f"run-{report['key']}"):
            counts[_sync(store, experiment, name, report["key"], lock)] += 1
    return counts


def _sync(store: Store, experiment: Experiment, name: str, key: str, lock: DvcLock) -> str:
    mark = {f"dvc.exp.{experiment.name}": "1"}
    for run_id in finished(store, key)[:1]:
        if mark.items() <= store.client.get_run(run_id).data.tags.items():
            return "present"
        store.client.set_tag(run_id, *next(iter(mark.items())))
        return "tagged"
    return "restored" if _restored(store, experiment, name, lock, mark) else "unknown"


def _settings(name: str, ran_with: dict[str, Any]) -> dict[str, Any]:
    """What a model was trained with, as its `training.json` has it."""
    model = dict(ran_with[f"models.{name}"])
    seed, *_ = model.pop("seeds", None) or [ran_with["seed"]]
    return {"name": name, "seed": seed, "subset_seed": ran_with["seed"], "model": model}


def _restored(store: Store, experiment: Experiment, name: str, lock: DvcLock, mark: dict[str, str]) -> bool:
    """Make a run from what git holds of a model: its training and its test, without pictures, data and exports."""
    ran_with = lock.params(f"train@{name}")
    if f"models.{name}" not in ran_with:
        return False
    tags = mark | {"dvc.exp_name": experiment.name, "git.commit": experiment.commit, "git.dirty": "false"}
    with TemporaryDirectory() as folder:
        reports = unpack(experiment.commit, model_report(name), Path(folder))
        report = json.loads((reports / "train.json").read_text(encoding="utf-8"))
        settings = _settings(name, ran_with) | {fact: report[fact] for fact in RAN_ON if fact in report}
        run = Run(store, restored(store, settings, reports, None, tags))
        if (reports / "metrics.json").exists() and lock.later(f"evaluate@{name}", f"train@{name}", MODELS / name):
            run.record(evaluation(reports, lock.params(f"evaluate@{name}").get("evaluate", {})))
        run.settle()
    return True
