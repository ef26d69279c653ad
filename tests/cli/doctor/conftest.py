"""A place in which `vision doctor` finds nothing wrong."""

import os
import shutil
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from dvc.repo import Repo
from tiny_project import git

from vision_pipeline.cli.doctor import hardware


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A repository in which all is well, the working folder; no mirror, no GPU."""
    root = tmp_path / "place"
    for folder in ("data/catalog", "data/texts"):
        shutil.copytree(repository / folder, root / folder)
    for file in ("params.yaml", "pyproject.toml"):
        shutil.copy(repository / file, root)
    (root / "requirements.lock").write_text(f"numpy=={version('numpy')}\n")
    monkeypatch.chdir(root)
    (root / "dvc.yaml").write_text("stages: {}\n")
    git("init", "-q")
    Repo.init().close()
    for command in (["add", "-A"], ["commit", "-qm", "A start"], ["config", "user.name", "x"]):
        git(*command)
    git("config", "user.email", "x@example.com")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(hardware, "count_visible_gpus", lambda: 0)
    for name in ("DATA_MIRROR", "DVC_ROOT", "TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return root
