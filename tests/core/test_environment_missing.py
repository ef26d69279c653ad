"""What is printed where Python has not what the project needs: the environment is not active."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vision_pipeline.core.environment import explain_missing_package

ELSEWHERE = ".venv was made for another folder; rm -rf .venv && make setup && . .venv/bin/activate"
ACTIVATE = "activate the environment: . .venv/bin/activate"


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in the working folder, which does not run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/activate").touch()
    return tmp_path / ".venv"


def fix() -> str | None:
    return (explain_missing_package(ModuleNotFoundError(name="torch.nn")) or "").partition("; ")[2]


@pytest.mark.parametrize("arguments", [["-m", "stages.prepare", "mnist"], ["-m", "vision_pipeline.cli.main", "check"]])
def test_a_python_without_the_packages_is_named(venv: Path, repository: Path, arguments: list[str]):
    environment = {**os.environ, "PYTHONPATH": str(repository), "PYTHONNOUSERSITE": "1"}
    bare = [sys.executable, "-S", *arguments]  # without the environment's packages
    done = subprocess.run(bare, capture_output=True, text=True, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith(f"ERROR: {sys.executable}, the Python that ran, has no package ")
    assert done.stderr.endswith(f"; {ACTIVATE}\n") and done.stderr.count("\n") == 1


def test_a_package_that_is_imported_late_is_named_too(repository: Path) -> None:
    code = "import sys; sys.modules['dvc'] = None; sys.argv[1:] = ['plan']; "
    code += "from vision_pipeline.cli.main import run; run()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repository)
    assert "has no package 'dvc'; " in done.stderr and "Traceback" not in done.stderr


def test_the_way_out_depends_on_the_environment(venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fix() == ACTIVATE
    for script in ("#!/gone/.venv/bin/python3.11\n", "#!/bin/sh\n'''exec' \"/with space/.venv/bin/python\" \"$0\"\n"):
        (venv / "bin/pip").write_text(script)
        assert fix() == ELSEWHERE
    (venv / "bin/pip").write_text(f"#!{venv}/bin/python3.11\n")
    assert fix() == ACTIVATE
    monkeypatch.setattr(sys, "prefix", str(venv))
    assert fix() == "pip install -r requirements.lock"
    monkeypatch.setattr(sys, "prefix", "/usr")
    (venv / "bin/activate").unlink()
    assert fix() == "set up and activate the environment: make setup && . .venv/bin/activate"


@pytest.mark.parametrize(
    "error",
    [ModuleNotFoundError(name="stages.gone"), ModuleNotFoundError(name="_lzma"), ImportError(name="torch"), None],
)
def test_other_errors_keep_their_traceback(error: BaseException | None) -> None:
    assert explain_missing_package(error) is None


def test_an_old_python_is_refused_before_anything_is_imported(repository: Path) -> None:
    code = "import sys; sys.version_info = (3, 10, 0); import stages"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=repository)
    assert done.returncode == 1
    assert done.stderr == (
        f"ERROR: {sys.executable} is older than Python 3.11; activate the environment: . .venv/bin/activate\n"
    )
