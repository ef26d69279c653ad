"""What a clone records of its models: dvc.lock, reports, the checkpoints' facts."""

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
    """Of a clone at one moment.

    Attributes:
        lock: its dvc.lock.
        models: of params.yaml, that it says have been trained and tested.
        reports: by model, `train.json` and `metrics.json`; of one that was not tested {}.
        params: the whole of params.yaml.
        modified_outputs: by model, its outputs that lie here and are not those that the lock has.
        requirements: the text of requirements.lock, empty where there is none.
        converted: what dvc.lock hashed with other line ends than it has here.
    """

    lock: DvcLock
    models: list[str]
    reports: dict[str, dict[str, Any]]
    params: dict[str, Any]
    modified_outputs: dict[str, list[str]]
    requirements: str
    converted: frozenset[str] = frozenset()


def take_snapshot(root: Path) -> CloneSnapshot:
    """What the clone in `root` records now."""
    lock = DvcLock(_read_text(root / "dvc.lock"))
    trained = [name.removeprefix("train@") for name in lock.stages if name.startswith("train@")]
    params = safe_load(_read_text(root / PARAMS)) or {}
    models = [name for name in trained if f"evaluate@{name}" in lock.stages and name in params.get("models", {})]
    modified_outputs = {name: _find_modified_outputs(root, lock, name) for name in models}
    reports = {name: _read_reports(root / model_report_dir(name)) for name in models}
    return CloneSnapshot(lock, models, reports, params, modified_outputs, _read_text(root / "requirements.lock"))


def take_git_snapshot(root: Path) -> CloneSnapshot:
    """Return the record of a fresh clone, which has git's files only, and what has other line ends in them."""
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


def _compute_md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def checkpoint_versions(name: str, commit: str) -> dict[str, str] | None:
    """The versions that the commit's checkpoint names; None where it cannot be read, as without DVC's cache."""
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
