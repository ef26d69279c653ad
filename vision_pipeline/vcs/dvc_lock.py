"""Read dvc.lock: the params of the stages that have run, and the hashes of the files that they read and wrote."""

import time
from pathlib import Path
from typing import Any

from vision_pipeline.config.effective import fill_defaults_at
from vision_pipeline.core.errors import ArtifactError

_STABLE_S = 0.2  # a file that did not change for so many seconds is complete
_MAX_WAIT_S = 10.0  # after so many seconds a file that still changes is read


class DvcLock:
    """The content of a dvc.lock; params and hashes of a stage that it does not contain are empty.

    Attributes:
        stages: the entry of each stage that has run, by name.
    """

    def __init__(self, text: str) -> None:
        """Read the text of a dvc.lock, which may be empty.

        Raises:
            ArtifactError: it is no dvc.lock.
        """
        from ruamel.yaml import YAML, YAMLError

        try:
            self.stages: dict[str, Any] = dict((YAML(typ="safe").load(text) or {}).get("stages") or {})
        except (YAMLError, AttributeError, TypeError, ValueError) as error:  # the last three: it is no mapping
            reason = (str(error).splitlines() or [""])[0]
            raise ArtifactError(f"dvc.lock is damaged ({reason}); `git checkout dvc.lock` mends it") from error

    def params(self, stage: str) -> dict[str, Any]:
        """Return the effective values that a stage has run with, by the keys that it declares."""
        recorded = self.stages.get(stage, {}).get("params", {}).get("params.yaml", {})
        return {key: fill_defaults_at(key, value) for key, value in recorded.items()}

    def hashes(self, stage: str, side: str) -> dict[str, str]:
        """Return by path the MD5 of what a stage has read (`side` is "deps") or written ("outs")."""
        return {entry["path"]: entry["md5"] for entry in self.stages.get(stage, {}).get(side, []) if "md5" in entry}

    def is_consistent(self, stage: str, producer: str, path: Path) -> bool:
        """Return whether `stage` has read `path` as the stage `producer` wrote it; False only where the hashes differ.

        A training that ran again leaves the old test's files beside its own until the test is run again.
        """
        read, written = self.hashes(stage, "deps").get(str(path)), self.hashes(producer, "outs").get(str(path))
        return read is None or written is None or read == written


def md5_tags(lock: DvcLock, name: str) -> dict[str, str]:
    """Return the hashes of a model and of the files that it was trained from as tags: `dvc.md5.<path>`."""
    stage = f"train@{name}"
    hashes = lock.hashes(stage, "outs") | lock.hashes(stage, "deps")
    return {f"dvc.md5.{path}": md5 for path, md5 in hashes.items() if path.startswith(("data/", "models/"))}


def read_workspace_lock() -> DvcLock:
    """Read the working folder's dvc.lock once it has not changed for a moment, because DVC writes it piece by piece.

    Raises:
        ArtifactError: it is no dvc.lock.
    """
    file = Path("dvc.lock")
    deadline = time.monotonic() + _MAX_WAIT_S
    while file.exists():
        version, text = _read_stat(file), file.read_text(encoding="utf-8")
        time.sleep(_STABLE_S)
        if _read_stat(file) == version or time.monotonic() >= deadline:
            return DvcLock(text)
    return DvcLock("")


def _read_stat(file: Path) -> tuple[int, int]:
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size
