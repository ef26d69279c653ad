"""Where a run came from: commit, DVC stage and experiment, versions, machine, data."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from stages.project.console import Refusal, warn
from stages.project.files import read_json
from stages.project.versions import versions
from stages.tracking.git import git, patch
from stages.tracking.secrets import masked

# of train.json and of a model's settings beside its params: what a training ran on
RAN_ON = ("device", "machine", "precision", "precision_by", "threads", "deterministic", "devices")
_warnings: list[Refusal] = []  # of this process
_LARGEST = 1_000_000  # characters of a patch; longer, it is data that somebody has put into git


def lineage_tags() -> dict[str, str]:
    """Tags of the code's and the machine's state; those that cannot be known are left out."""
    stage = os.environ.get("DVC_STAGE", "")
    tags = _git_tags() | {
        "dvc.stage": stage,
        # by this name MLflow's pages show it, as a run's source
        "mlflow.source.name": stage,
        "mlflow.source.type": "LOCAL",
        "dvc.exp_name": os.environ.get("DVC_EXP_NAME", ""),
        "host": socket.gethostname(),
        "host.pid": str(os.getpid()),
    }
    tags |= {f"version.{package}": version for package, version in versions().items()}
    tags |= experiment_mark()
    return {name: value for name, value in tags.items() if value}


def _git_tags() -> dict[str, str]:
    """Return the tags of the commit, whose `git.dirty` says whether more was changed; none where git does not answer.

    A commit without an answer about changes would pass for a clean one.
    """
    try:
        commit = git("rev-parse", "--verify", "--quiet", "HEAD")
        if not commit:
            raise Refusal("the repository has no commit yet; `git add -A && git commit` makes one")
        changed = bool(git("status", "--porcelain", "--untracked-files=no", "--", "."))
    except Refusal as refusal:
        _warn_once(refusal)
        return {}
    # by the last name MLflow's pages show it
    return {"git.commit": commit, "git.dirty": str(changed).lower(), "mlflow.source.git.commit": commit}


def _warn_once(refusal: Refusal) -> None:
    """Print why git did not answer, once in this process: it would fail each question, of each seed."""
    if not _warnings:
        warn(f"MLflow: the run is logged without what git knows of the code: {refusal}")
    _warnings.append(refusal)


def uncommitted() -> str:
    """What of the tracked files differs from the commit, as a patch for `git apply`; empty where nothing does.

    DVC's settings are left out, for they change no result and may hold a remote's keys; passwords are masked.
    Where git does not answer, it is empty, too, and a warning says so.
    """
    try:
        difference = masked(patch("HEAD", "--", ".", ":(exclude).dvc/config"))
    except Refusal as refusal:
        _warn_once(refusal)
        return ""
    if len(difference) > _LARGEST:
        return difference[:_LARGEST] + f"\n... cut off: {len(difference):,} characters in all\n"
    return difference


def experiment_mark() -> dict[str, str]:
    """The DVC experiment that runs now, as a tag of its own: one training can belong to several experiments."""
    name = os.environ.get("DVC_EXP_NAME", "")
    return {f"dvc.exp.{name}": "1"} if name else {}


def dataset_input(folder: Path) -> Any:
    """MLflow's record of a data set in the prepared format: name, digest and where it came from."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    about = read_json(folder / "dataset.json")
    provenance = about["provenance"]
    dataset = Dataset(
        name=f"{folder.parent.name}/views" if folder.name == "views" else folder.name,
        digest=about["digest"][:16],
        source_type="dvc",
        source=json.dumps({"path": str(folder), "status": provenance["status"], "source": provenance["source"]}),
        profile=json.dumps({split: sum(counts.values()) for split, counts in about["counts"].items()}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
