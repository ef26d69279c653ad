"""A DVC experiment beside the workspace, on a repository whose one stage is a line of shell."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tiny_project import git

from vision_pipeline.cli.pipeline import temp_experiment
from vision_pipeline.cli.pipeline.temp_experiment import read_workspace_params, run_temp_experiment
from vision_pipeline.core.errors import UserError
from vision_pipeline.vcs.git import show_file

DVC_YAML = """
stages:
  slow: {cmd: "echo ${a} $MARK > o; sleep ${seconds}; test -s o", params: [a], outs: [{o: {cache: false}}]}
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch) -> Path:
    """A folder of a git repository, the working folder, with a change that is not committed."""
    root = tmp_path / "projects/vision"
    root.mkdir(parents=True)
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    for command in (["git", "init", "-q", str(tmp_path)], [sys.executable, "-m", "dvc", "init", "-q", "--subdir"]):
        subprocess.run(command, check=True)
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "params.yaml").write_text("a: 1\nseconds: 0\n")
    git("add", "-A")
    git("commit", "-qm", "A pipeline")
    (root / "params.yaml").write_text("a: 1\nseconds: 0\nmine: true\n")
    return root


def test_it_runs_with_its_settings_and_leaves_the_workspace_as_it_is(pipeline):
    lines: list[str] = []
    commit = run_temp_experiment("mine-0001", ["a=7"], ["slow"], lines.extend, extra_env={"MARK": "here"})
    assert show_file(commit, Path("o")) == "7 here\n"
    assert not (pipeline / "o").exists()
    assert read_workspace_params() == {"a": 1, "seconds": 0, "mine": True}
    assert "Running stage 'slow':\n" in lines
    assert run_temp_experiment("mine-0001", ["a=8"], ["slow"], lines.extend) != commit


def test_a_failure_is_refused_after_all_was_shown(pipeline):
    (pipeline / "dvc.yaml").write_text("stages: {slow: {cmd: 'echo no luck; exit 3'}}")
    lines: list[str] = []
    with pytest.raises(UserError, match="mine-0001 failed"):
        run_temp_experiment("mine-0001", [], ["slow"], lines.extend)
    assert "no luck\n" in lines


def test_it_waits_for_a_stage_that_runs_in_the_workspace(pipeline, monkeypatch, capsys):
    (pipeline / "params.yaml").write_text("a: 1\nseconds: 5\n")
    repro = subprocess.Popen([sys.executable, "-m", "dvc", "repro", "-q"], env={**os.environ, "MARK": "repro"})
    end = time.monotonic() + 60
    while not (pipeline / "o").exists():  # the stage runs
        assert repro.poll() is None and time.monotonic() < end
        time.sleep(0.05)
    run_temp_experiment("mine-0001", ["a=7", "seconds=0"], ["slow"], list)
    assert repro.poll() == 0
    assert (pipeline / "o").read_text() == "1 repro\n"
    assert "waiting for a stage that runs in this workspace" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("content", "writers"),
    [
        ("", set()),
        ("{}", set()),
        ('{"write": {"/a/o": {"pid": 7, "cmd": "repro"}, "/a/p": {"pid": 8, "cmd": "repro"}}, "read": {}}', {7, 8}),
        ('{"write": {"/a', set()),
    ],
)
def test_what_dvc_notes_of_running_stages(tmp_path, monkeypatch, content, writers):
    monkeypatch.setattr(temp_experiment, "_RWLOCK", tmp_path / "rwlock")
    assert temp_experiment._find_writers() == set()
    (tmp_path / "rwlock").write_text(content)
    assert temp_experiment._find_writers() == writers


def test_the_workspace_is_whole_again_once_dvc_says_that_it_reproduces():
    lines = io.StringIO("WARNING: a\nReproducing experiment 'x'\nRunning stage 's':\n")
    assert temp_experiment._read_until_started(lines) == ["WARNING: a\n", "Reproducing experiment 'x'\n"]
    assert lines.readline() == "Running stage 's':\n"
    assert temp_experiment._read_until_started(io.StringIO("ERROR: b\n")) == ["ERROR: b\n"]
