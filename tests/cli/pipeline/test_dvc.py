"""DVC's repository and output for the commands: an obstacle is one line, with the fix."""

import getpass
import shutil
import subprocess
from pathlib import Path

import pytest
from dvc.repo import Repo

from vision_pipeline.cli.pipeline.dvc import dvc_env, open_repository, prefix_lines
from vision_pipeline.core.errors import UserError


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of DVC's without stages, the working folder."""
    monkeypatch.chdir(tmp_path)
    Repo.init(no_scm=True).close()
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    return tmp_path


def open_error() -> str:
    with pytest.raises(UserError) as refusal, open_repository():
        pass
    return str(refusal.value)


def test_a_site_cache_that_cannot_be_written_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = root / "of-another-user"
    closed.touch()
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(closed / "dvc"))
    line = open_error()
    assert line.startswith(f"DVC's site cache {closed}/dvc cannot be used by this user (")
    assert line.endswith(f"; dvc config --local core.site_cache_dir {root}/.dvc/tmp/site")


def test_a_damaged_database_in_the_site_cache_is_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(root / "site"))
    with open_repository() as repo:
        (Path(repo.site_cache_dir) / "links/cache.db").write_bytes(b"no database" * 100)
    assert open_error().startswith(f"DVC's site cache {root}/site cannot be used by this user (file is not a database")


def test_a_user_without_a_name_is_refused_with_the_fix(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nameless() -> str:
        raise KeyError("getpwuid(): uid not found: 1234")

    monkeypatch.setattr(getpass, "getuser", nameless)
    assert open_error().endswith("has none; export USER=me")


def test_a_linked_folder_of_results_is_refused_by_every_command(root: Path) -> None:
    (root / "models").symlink_to("/")
    assert open_error().startswith("models is a link to /, ")


def test_lines_carry_the_name_of_the_stage_that_says_them():
    lines = [
        "Running stage 'train@a':\n",
        "> python -m stages.train a\n",
        "\ra: 10%\r\ra: 20%\n",
        "Updating lock file 'dvc.lock'\n",
        "Running stage 'evaluate@a':\n",
        "97 %\n",
        "\n",
        "ERROR: failed to reproduce 'evaluate@a'\n",
    ]
    assert list(prefix_lines(lines)) == [
        "train@a | a: 10%",
        "train@a | a: 20%",
        "evaluate@a | 97 %",
        "evaluate@a | ERROR: failed to reproduce 'evaluate@a'",
    ]


def test_stages_are_found_whatever_python_safe_path_says(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.delenv("PYTHONPATH")
    shutil.copytree(repository / "stages", tmp_path / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "vision_pipeline").symlink_to(repository / "vision_pipeline")
    command = ["python", "-m", "stages.download", "--help"]
    assert subprocess.run(command, cwd=tmp_path, env=dvc_env(), capture_output=True).returncode == 0
    assert subprocess.run(
        command, cwd=tmp_path, env=dvc_env() | {"PYTHONSAFEPATH": "1"}, capture_output=True
    ).returncode
