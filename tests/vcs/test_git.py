"""Git that does not answer: a run says nothing of the code, and no command takes it for nothing."""

import os
from pathlib import Path

import pytest
from tiny_project import git as as_tester

from tests.tracking.sample_runs import runs, train
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking import lineage
from vision_pipeline.vcs import git as module
from vision_pipeline.vcs.experiments import find_commits, list_experiments, read_commits, resolve_commit
from vision_pipeline.vcs.git import cat_files, git_or_empty

SLOW = "#!/bin/sh\nexec sleep 30\n"


@pytest.fixture(params=["another owner", "no git", "too slow", "no repository"])
def silent(request, workspace, monkeypatch) -> str:
    """A repository of which git does not tell; what the warning says."""
    monkeypatch.setattr(lineage, "_warnings", [])
    if request.param == "no repository":
        return "not a git repository"
    as_tester("init", "-q")
    as_tester("commit", "-qm", "A start", "--allow-empty")
    if request.param == "another owner":
        monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        return f"git config --global --add safe.directory {workspace}"
    programs = workspace / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", str(programs))
    if request.param == "no git":
        return "git cannot be run (No such file or directory); put it on PATH"
    (programs / "git").write_text(SLOW.replace("exec sleep", "exec /bin/sleep"))
    (programs / "git").chmod(0o755)
    monkeypatch.setattr(module, "_TIMEOUT_S", 0.2)
    monkeypatch.setattr(git_or_empty, "__kwdefaults__", {"seconds": 0.2})
    return "took over 0.2 s; run it once by hand"


def test_a_run_has_no_tag_of_git_and_one_warning(silent, capsys):
    with train():
        pass
    with train(key="fedcba9876543210"):
        pass
    for run in runs():
        assert [name for name in run.data.tags if "git" in name] == []
    warnings = capsys.readouterr().err.splitlines()
    assert len(warnings) == 1
    assert warnings[0].startswith("WARNING: MLflow: the run is logged without what git knows of the code: ")
    assert silent in warnings[0]


def test_no_command_takes_silence_for_nothing(silent):
    for ask in (list_experiments, lambda: resolve_commit("HEAD"), lambda: git_or_empty("stash", "list")):
        with pytest.raises(UserError) as refusal:
            ask()
        assert silent in str(refusal.value)


def test_without_a_commit_a_run_has_no_tag_of_git(workspace, monkeypatch, capsys):
    monkeypatch.setattr(lineage, "_warnings", [])
    as_tester("init", "-q")
    with train():
        pass
    (run,) = runs()
    assert not {"git.commit", "git.dirty"} & run.data.tags.keys()
    assert "the repository has no commit yet; `git add -A && git commit` makes one" in capsys.readouterr().err


def test_where_git_finds_nothing_the_answer_is_empty(workspace):
    as_tester("init", "-q")
    as_tester("add", "params.yaml")
    as_tester("commit", "-qm", "A start")
    assert list_experiments() == [] and find_commits("0" * 16) == []
    assert cat_files([("HEAD", Path("dvc.lock")), ("HEAD", Path("params.yaml"))])[0] is None
    assert read_commits(["HEAD"])["HEAD"].reports["mnist-mlp"] == {}
    with pytest.raises(UserError, match=r"^nothing is neither an experiment nor a commit"):
        resolve_commit("nothing")
    with pytest.raises(UserError, match="is neither an experiment nor a commit"):
        resolve_commit("HEAD@{99}")


def test_a_changed_file_makes_a_run_dirty(workspace):
    as_tester("init", "-q")
    as_tester("add", "params.yaml")
    as_tester("commit", "-qm", "A start")
    with Path("params.yaml").open("a") as file:
        file.write("# one more line\n")
    with train():
        pass
    (run,) = runs()
    assert run.data.tags["git.dirty"] == "true"
    assert run.data.tags["git.commit"] == as_tester("rev-parse", "HEAD")
    assert os.environ.get("GIT_TEST_ASSUME_DIFFERENT_OWNER") is None
