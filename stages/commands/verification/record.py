"""What a clone records of its models: dvc.lock, reports, the checkpoints' facts."""

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.commands.pipeline.dvc import read_from_commit
from stages.commands.verification.line_ends import with_other_line_ends
from stages.params.load import PARAMS
from stages.params.plain_yaml import read_yaml
from stages.project.console import Refusal
from stages.project.paths import MODELS, model_report
from stages.tracking.dvc_lock import DvcLock


@dataclass(frozen=True)
class Record:
    """Of a clone at one moment.

    Attributes:
        lock: its dvc.lock.
        models: of params.yaml, that it says have been trained and tested.
        reports: by model, `train.json` and `metrics.json`; of one that was not tested {}.
        params: the whole of params.yaml.
        strays: by model, its outputs that lie here and are not those that the lock has.
        requirements: the text of requirements.lock, empty where there is none.
        converted: what dvc.lock hashed with other line ends than it has here.
    """

    lock: DvcLock
    models: list[str]
    reports: dict[str, dict[str, Any]]
    params: dict[str, Any]
    strays: dict[str, list[str]]
    requirements: str
    converted: frozenset[str] = frozenset()


def recorded(root: Path) -> Record:
    """What the clone in `root` records now."""
    lock = DvcLock(_text(root / "dvc.lock"))
    trained = [name.removeprefix("train@") for name in lock.stages if name.startswith("train@")]
    params = read_yaml(_text(root / PARAMS)) or {}
    models = [name for name in trained if f"evaluate@{name}" in lock.stages and name in params.get("models", {})]
    strays = {name: _strays(root, lock, name) for name in models}
    reports = {name: _reports(root / model_report(name)) for name in models}
    return Record(lock, models, reports, params, strays, _text(root / "requirements.lock"))


def recorded_in_git(root: Path) -> Record:
    """Return the record of a fresh clone, which has git's files only, and what has other line ends in them."""
    record = recorded(root)
    sides = [record.lock.hashes(stage, side) for stage in record.lock.stages for side in ("deps", "outs")]
    hashes = {path: md5 for side in sides for path, md5 in side.items()}
    return replace(record, converted=frozenset(with_other_line_ends(root, hashes)))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _reports(folder: Path) -> dict[str, Any]:
    return {file: json.loads(_text(folder / f"{file}.json") or "{}") for file in ("train", "metrics")}


def _strays(root: Path, lock: DvcLock, name: str) -> list[str]:
    outs = lock.hashes(f"train@{name}", "outs") | lock.hashes(f"evaluate@{name}", "outs")
    return [path for path, md5 in outs.items() if (root / path).is_file() and md5 != _md5(root / path)]


def _md5(file: Path) -> str:
    return hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()


def trained_with(name: str, commit: str) -> dict[str, str] | None:
    """The versions that the commit's checkpoint names; None where it cannot be read, as without DVC's cache."""
    from dvc.exceptions import DvcException
    from dvc_data.index import DataIndexDirError

    from stages.models.checkpoint import load_checkpoint

    path = MODELS / name / "checkpoint.pth"
    with TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        try:
            file.write_bytes(read_from_commit(path, commit))
            return load_checkpoint(file).versions
        except (DvcException, DataIndexDirError, FileNotFoundError, Refusal):
            return None
