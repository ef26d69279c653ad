"""What a clone records of its models: dvc.lock, reports, the checkpoints' facts."""

import json
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.commands.named_files import read_yaml
from stages.params.load import PARAMS
from stages.project.paths import MODELS, model_report
from stages.tracking.dvc_lock import DvcLock


@dataclass(frozen=True)
class Record:
    """Of a clone at one moment.

    Attributes:
        lock: its dvc.lock.
        models: that are in it.
        reports: by model, `train.json` and `metrics.json`; of one that was not tested {}.
        params: the whole of params.yaml.
        requirements: the text of requirements.lock, empty where there is none.
    """

    lock: DvcLock
    models: list[str]
    reports: dict[str, dict[str, Any]]
    params: dict[str, Any]
    requirements: str


def recorded(root: Path) -> Record:
    """What the clone in `root` records now."""
    text = _text(root / "dvc.lock")
    stages = (read_yaml(text) or {}).get("stages", {})
    models = [name.removeprefix("train@") for name in stages if name.startswith("train@")]
    reports = {name: _reports(root / model_report(name)) for name in models}
    params = read_yaml(_text(root / PARAMS)) or {}
    return Record(DvcLock(text), models, reports, params, _text(root / "requirements.lock"))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _reports(folder: Path) -> dict[str, Any]:
    return {file: json.loads(_text(folder / f"{file}.json") or "{}") for file in ("train", "metrics")}


def trained_with(name: str, commit: str) -> dict[str, str] | None:
    """The versions that the commit's checkpoint names; None where it is not in DVC's cache."""
    import dvc.api
    from dvc.exceptions import DvcException

    from stages.models.checkpoint import load_checkpoint

    path = MODELS / name / "checkpoint.pth"
    try:
        content = dvc.api.read(path.as_posix(), rev=commit, mode="rb")
    except (DvcException, FileNotFoundError):
        return None
    with TemporaryDirectory() as folder:
        file = Path(folder) / path.name
        file.write_bytes(content)
        return load_checkpoint(file).versions
