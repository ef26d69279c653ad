"""The lineage of a run: commit, DVC stage and experiment, versions, hardware, data."""

import json
import os
import socket
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.tracking.secrets import redact
from vision_pipeline.vcs.git import git_diff, git_or_empty

# fields of train.json, and of a model's settings beside its params, that describe what a training ran on
HARDWARE_FIELDS = ("device", "machine", "precision", "precision_by", "threads", "deterministic", "devices")
_warnings: list[UserError] = []  # warnings of this process
_MAX_DIFF_CHARS = 1_000_000  # a longer patch is of data that somebody has put into git


def lineage_tags() -> dict[str, str]:
    """Return tags of the state of code and machine; unknown ones are left out."""
    stage = os.environ.get("DVC_STAGE", "")
    tags = _make_git_tags() | {
        "dvc.stage": stage,
        # MLflow's pages show this tag as a run's source
        "mlflow.source.name": stage,
        "mlflow.source.type": "LOCAL",
        "dvc.exp_name": os.environ.get("DVC_EXP_NAME", ""),
        "host": socket.gethostname(),
        "host.pid": str(os.getpid()),
    }
    tags |= {f"version.{package}": version for package, version in get_library_versions().items()}
    tags |= experiment_tag()
    return {name: value for name, value in tags.items() if value}


def _make_git_tags() -> dict[str, str]:
    """Return the tags of the commit; `git.dirty` says whether files differ from it. None where git does not answer.

    A commit without `git.dirty` would pass for a clean one.
    """
    try:
        commit = git_or_empty("rev-parse", "--verify", "--quiet", "HEAD")
        if not commit:
            raise UserError("the repository has no commit yet; `git add -A && git commit` makes one")
        is_dirty = bool(git_or_empty("status", "--porcelain", "--untracked-files=no", "--", "."))
    except UserError as error:
        _warn_once(error)
        return {}
    # MLflow's pages show the last tag
    return {"git.commit": commit, "git.dirty": str(is_dirty).lower(), "mlflow.source.git.commit": commit}


def _warn_once(error: UserError) -> None:
    """Warn once in this process why git did not answer: it would fail each call, of each seed."""
    if not _warnings:
        logger.warning(f"MLflow: the run is logged without what git knows of the code: {error}")
    _warnings.append(error)


def uncommitted_diff() -> str:
    """Return how the tracked files differ from the commit, as a patch for `git apply`; empty where they do not.

    DVC's settings are left out, because they change no result and may hold a remote's keys; passwords are masked.
    Where git does not answer, the patch is empty, too, and a warning says so.
    """
    try:
        diff = redact(git_diff("HEAD", "--", ".", ":(exclude).dvc/config"))
    except UserError as error:
        _warn_once(error)
        return ""
    if len(diff) > _MAX_DIFF_CHARS:
        return diff[:_MAX_DIFF_CHARS] + f"\n... cut off: {len(diff):,} characters in all\n"
    return diff


def experiment_tag() -> dict[str, str]:
    """Return the present DVC experiment as a tag of its own: one training can belong to several experiments."""
    name = os.environ.get("DVC_EXP_NAME", "")
    return {f"dvc.exp.{name}": "1"} if name else {}


def dataset_input(folder: Path) -> Any:
    """Return MLflow's record of a data set: name, digest and source.

    Args:
        folder: folder in the prepared format.

    Returns:
        An `mlflow.entities.DatasetInput`.
    """
    from mlflow.entities import Dataset, DatasetInput, InputTag

    info = read_json(folder / "dataset.json")
    provenance = info["provenance"]
    dataset = Dataset(
        name=f"{folder.parent.name}/views" if folder.name == "views" else folder.name,
        digest=info["digest"][:16],
        source_type="dvc",
        source=json.dumps({"path": str(folder), "status": provenance["status"], "source": provenance["source"]}),
        profile=json.dumps({split: sum(counts.values()) for split, counts in info["counts"].items()}),
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
