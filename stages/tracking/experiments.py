"""DVC's experiments, found in git without a checkout, and the MLflow runs of their models."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.params.fields import did_you_mean
from stages.project.console import Refusal
from stages.project.locks import exclusive
from stages.project.paths import MODEL_REPORTS, MODELS, model_report
from stages.tracking.dvc_lock import DvcLock
from stages.tracking.git import git, unpack
from stages.tracking.records import evaluation
from stages.tracking.restore import restored
from stages.tracking.run import Run
from stages.tracking.search import finished
from stages.tracking.store import Store

_REFERENCE = re.compile(r"([0-9a-f]{40}) refs/exps/([0-9a-f]{2})/([0-9a-f]{38})/([^/]+)")
# of train.json, what `train` keeps in a model's settings beside its params
_RAN_ON = ("device", "machine", "precision", "precision_by", "threads", "devices")


@dataclass(frozen=True)
class Experiment:
    """A DVC experiment.

    Attributes:
        name: DVC's.
        commit: that holds its params and reports.
        baseline: the commit that it began from.
    """

    name: str
    commit: str
    baseline: str


def experiments() -> list[Experiment]:
    """All that git holds, by name: those of every commit, as `dvc exp list --all-commits` tells them."""
    lines = git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    found = [match for line in lines if (match := _REFERENCE.fullmatch(line))]
    return sorted((Experiment(match[4], match[1], match[2] + match[3]) for match in found), key=lambda one: one.name)


def commit_of(name: str) -> str:
    """The commit of an experiment, a branch, a tag or of what else git knows.

    Raises:
        Refusal: there is none.
    """
    known = {one.name: one.commit for one in experiments()}
    commit = known.get(name) or git("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
    if not commit:
        raise Refusal(f"{name} is neither an experiment nor a commit; {did_you_mean(name, sorted(known))}")
    return commit


def commits_with(key: str) -> list[str]:
    """The branches, tags and experiments here whose reports are of the training `key`, HEAD first, as sentences."""
    named = git(
        "for-each-ref", "--format=%(objectname) %(refname)", "refs/heads", "refs/tags", "refs/exps"
    ).splitlines()
    found = {"HEAD": git("rev-parse", "HEAD")} | {
        name: commit for commit, name in (line.split(" ", 1) for line in named)
    }
    reports = f":(glob){MODEL_REPORTS}/*/train.json"
    holding = {line.partition(":")[0] for line in _grep(key, sorted(set(found.values()) - {""}), reports)}
    return [_told(name, commit) for name, commit in found.items() if commit in holding]


def _grep(text: str, commits: list[str], place: str) -> list[str]:
    return git("grep", "--files-with-matches", "--fixed-strings", text, *commits, "--", place).splitlines()


def _told(name: str, commit: str) -> str:
    for prefix, kind in (("refs/heads/", "branch "), ("refs/tags/", "tag "), ("refs/exps/", "experiment ")):
        if name.startswith(prefix):
            name = kind + (name.rpartition("/")[2] if kind == "experiment " else name.removeprefix(prefix))
    return f"{name}, commit {commit[:12]}"


def sync_experiment(store: Store, experiment: Experiment) -> dict[str, int]:
    """Tag the finished run of each of an experiment's models; of one that has no run, make it from git.

    Returns:
        How many were "present", "tagged", "restored", or "unknown": the experiment's dvc.lock has no such training.
    """
    counts = dict.fromkeys(("present", "tagged", "restored", "unknown"), 0)
    lock = DvcLock(git("show", f"{experiment.commit}:dvc.lock"))
    for name, report in reports_in(experiment.commit).items():
        with exclusive(f"run-{report['key']}"):
            counts[_sync(store, experiment, name, report["key"], lock)] += 1
    return counts


def reports_in(commit: str) -> dict[str, dict[str, Any]]:
    """The `train.json` of each model that the commit's params.yaml has; git may hold those of others, too."""
    from ruamel.yaml import YAML

    params = YAML(typ="safe").load(git("show", f"{commit}:params.yaml")) or {}
    there = set(git("ls-tree", "-r", "--name-only", commit, f"{MODEL_REPORTS}/").splitlines())
    files = {name: (model_report(name) / "train.json").as_posix() for name in params.get("models", {})}
    return {name: json.loads(git("show", f"{commit}:{file}")) for name, file in files.items() if file in there}


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
        settings = _settings(name, ran_with) | {fact: report[fact] for fact in _RAN_ON if fact in report}
        run = Run(store, restored(store, settings, reports, None, tags))
        if (reports / "metrics.json").exists() and lock.later(f"evaluate@{name}", f"train@{name}", MODELS / name):
            run.record(evaluation(reports, lock.params(f"evaluate@{name}").get("evaluate", {})))
        run.settle()
    return True
