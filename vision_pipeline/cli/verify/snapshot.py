"""Snapshots of what a clone records of its models: dvc.lock, reports, versions in the checkpoints."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vision_pipeline.cli.pipeline.dvc import read_from_commit
from vision_pipeline.config.load import PARAMS, safe_load
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.paths import MODELS, model_report_dir
from vision_pipeline.vcs.dvc_lock import DvcLock
from vision_pipeline.vcs.line_ends import find_other_line_ends


@dataclass(frozen=True)
class CloneSnapshot:
    """The state of a clone at one moment.

    Attributes:
        lock: its dvc.lock.
        models: models of params.yaml that dvc.lock has as trained and tested.
        reports: by model, the content of `train` and `metrics`.json; {} where a file is missing.
        params: content of params.yaml.
        modified_outputs: by model, its outputs that exist here and differ from dvc.lock.
        requirements: text of requirements.lock, empty where there is none.
        converted: paths that dvc.lock has hashed with other line ends than they have here.
    """

    lock: DvcLock
    models: list[str]
    reports: dict[str, dict[str, Any]]
    params: dict[str, Any]
    modified_outputs: dict[str, list[str]]
    requirements: str
    converted: frozenset[str] = frozenset()


def take_snapshot(root: Path) -> CloneSnapshot:
    """Return the present state of the clone in `root`."""
    lock = DvcLock(_read_text(root / "dvc.lock"))
    trained = [name.removeprefix("train@") for name in lock.stages if name.startswith("train@")]
    params = safe_load(_read_text(root / PARAMS)) or {}
    models = [name for name in trained if f"evaluate@{name}" in lock.stages and name in params.get("models", {})]
    modified_outputs = {name: _find_modified_outputs(root, lock, name) for name in models}
    reports = {name: _read_reports(root / model_report_dir(name)) for name in models}
    return CloneSnapshot(lock, models, reports, params, modified_outputs, _read_text(root / "requirements.lock"))


def take_git_snapshot(root: Path) -> CloneSnapshot:
    """Return the state of a fresh clone, which has git's files only, and the paths that have other line ends there."""
    snapshot = take_snapshot(root)
    sides = [snapshot.lock.hashes(stage, side) for stage in snapshot.lock.stages for side in ("deps", "outs")]
    hashes = {path: md5 for side in sides for path, md5 in side.items()}
    return replace(snapshot, converted=frozenset(find_other_line_ends(root, hashes)))


def _read_text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _read_reports(folder: Path) -> dict[str, Any]:
    return {file: json.loads(_read_text(folder / f"{file}.json") or "{}") for file in ("train", "metrics")}


def _find_modified_outputs(root: Path, lock: DvcLock, name: str) -> list[str]:
    outs = lock.hashes(f"train@{name}", "outs") | lock.hashes(f"evaluate@{name}", "outs")
    return [path for path, md5 in outs.items() if (root / path).is_file() and md5 != _compute_md5(root / path)]


def _compute_md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def checkpoint_versions(name: str, commit: str) -> dict[str, str] | None:
    """Return the package versions in the commit's checkpoint of a model; None where DVC's cache lacks it."""
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    from vision_pipeline.models.checkpoint import load_checkpoint

    path = MODELS / name / "checkpoint.pth"
    with TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        try:
            file.write_bytes(read_from_commit(path, commit))
            return load_checkpoint(file).versions
        except (DvcException, DataIndexDirError, FileNotFoundError, UserError):
            return None
