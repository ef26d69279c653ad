"""What tests of commands share."""

import shutil
from pathlib import Path

import pytest

from tests.tracking.conftest import empty_store, workspace  # noqa: F401


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """The working folder: params.yaml, presets, experiments and sweeps of the repository."""
    shutil.copy(repository / "params.yaml", tmp_path)
    for folder in ("presets", "experiments", "sweeps"):
        shutil.copytree(repository / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path
