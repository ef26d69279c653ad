"""A folder of which git has no commit, as an unpacked ZIP file is: the first refusal names the fix."""

import shutil
from pathlib import Path

import pytest
from tiny_project import git
from typer.testing import CliRunner

from vision_pipeline.cli.main import app
from vision_pipeline.cli.pipeline.dvc import open_repository
from vision_pipeline.core.errors import UserError
from vision_pipeline.vcs.git import explain_missing_commit

_FIX = "git init && git add -A && git commit -m 'As downloaded'"


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """What is in a ZIP file of the project, as far as these commands read it; the working folder."""
    root = tmp_path / "unpacked"
    for folder in (".dvc", "data/catalog", "data/texts", "experiments", "sweeps"):
        shutil.copytree(repository / folder, root / folder, ignore=shutil.ignore_patterns("tmp", "cache", "*.local"))
    for name in ("dvc.yaml", "params.yaml", "stages/dvc.yaml"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(repository / name, root / name)
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    "command",
    [["check"], ["repro"], ["plan"], ["experiment", "hello"], ["sweep", "mnist-mlp"], ["show"], ["diff"], ["verify"]],
    ids=lambda command: command[0],
)
def test_a_command_that_needs_git_says_how_to_make_a_repository(unpacked: Path, command: list[str]) -> None:
    result = CliRunner().invoke(app, command)
    line = f"{unpacked} is no git repository, as when it was downloaded as a ZIP file; fix: {_FIX}"
    assert isinstance(result.exception, UserError) and str(result.exception) == line


def test_the_fix_makes_a_repository_that_dvc_opens(unpacked: Path) -> None:
    git("init", "-q")
    assert explain_missing_commit() == (
        "the git repository has no commit yet",
        "git add -A && git commit -m 'As downloaded'",
    )
    git("add", "-A")
    git("commit", "-qm", "As downloaded")
    assert explain_missing_commit() is None
    with open_repository() as repo:
        assert repo.index.stages


def test_a_folder_that_the_repository_around_it_does_not_have(unpacked: Path) -> None:
    git("init", "-q", cwd=unpacked.parent)
    (unpacked.parent / "mine.txt").write_text("another project")
    git("add", "mine.txt", cwd=unpacked.parent)
    git("commit", "-qm", "Another project", cwd=unpacked.parent)
    message, fix = explain_missing_commit() or ("", "")
    assert message == f"{unpacked} is not in the last commit of the git repository that it lies in"
    assert fix.endswith(_FIX)


def test_without_git_it_is_said_how_to_get_it(unpacked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(unpacked))
    assert explain_missing_commit() == ("git is not on PATH", "install it, as by `apt install git`")
