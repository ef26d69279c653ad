"""`vision repro` on a small repository whose stages are a line of shell each."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from typer.testing import CliRunner

from vision_pipeline.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
DVC_YAML = """
stages:
  first: {cmd: "echo one > first", outs: [first]}
  left: {cmd: "cat first > left; echo left is here", deps: [first], outs: [left]}
  right: {cmd: "%s", deps: [first], outs: [right]}
  last: {cmd: "cat left right > last", deps: [left, right], outs: [last]}
"""


@pytest.fixture
def pipeline(tmp_path: Path, monkeypatch) -> Path:
    """A repository in the working folder."""
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, check=True)
    (tmp_path / "dvc.yaml").write_text(DVC_YAML % "cat first > right")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for folder in ("data/catalog", "data/texts"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    return tmp_path


def status(folder: Path) -> str:
    """What DVC itself finds out of date."""
    done = subprocess.run([sys.executable, "-m", "dvc", "status"], cwd=folder, capture_output=True, text=True)
    return done.stdout.strip()


def test_all_stages_run_and_dvc_finds_everything_up_to_date(pipeline):
    done = CliRunner().invoke(app, ["repro", "--jobs", "2"])
    assert done.exit_code == 0, done.output
    assert (pipeline / "last").read_text() == "one\none\n"
    assert status(pipeline) == "Data and pipelines are up to date."
    assert "left | left is here" in done.output
    assert "[4/4] everything is up to date" in done.output
    assert "[0/0] everything is up to date" in CliRunner().invoke(app, ["repro"]).output


def test_a_failure_starts_nothing_more_and_keeps_what_is_done(pipeline):
    (pipeline / "dvc.yaml").write_text(DVC_YAML % "echo no luck; exit 3")
    done = CliRunner().invoke(app, ["repro", "--jobs", "1"])
    assert done.exit_code != 0
    assert str(done.exception).startswith("right failed")
    assert "right | no luck" in done.output
    assert not (pipeline / "last").exists()

    (pipeline / "dvc.yaml").write_text(DVC_YAML % "cat first > right")
    again = CliRunner().invoke(app, ["repro"])
    assert again.exit_code == 0, again.output
    assert "first" not in [line.split(" | ")[0] for line in again.output.splitlines()]
    assert (pipeline / "last").exists()


def test_when_it_is_killed_dvc_ends_too(pipeline):
    (pipeline / "dvc.yaml").write_text("stages: {long: {cmd: echo begun > begun; exec sleep 20, outs: [begun]}}")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = subprocess.Popen([sys.executable, "-m", "vision_pipeline.cli.main", "repro"], env=environment)
    until(lambda: (pipeline / "begun").exists())
    children = psutil.Process(command.pid).children()
    command.kill()
    command.wait()
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    assert len(children) == 1


def until(true) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_second_one_waits_for_the_first(pipeline):
    (pipeline / "dvc.yaml").write_text(DVC_YAML % "echo now > begun; sleep 4; cat first > right")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "vision_pipeline.cli.main", "repro"]
    first = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: (pipeline / "begun").exists())
    planned = CliRunner().invoke(app, ["plan"])
    second = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "another DVC is at work here" in str(planned.exception)
    assert "rwlock" not in str(planned.exception)
    assert (first.wait(), second.returncode) == (0, 0), second.stdout + second.stderr
    assert f"waiting for process {first.pid}, which runs the pipeline" in second.stdout
    assert "[0/0] everything is up to date" in second.stdout


def _interruptible() -> None:
    """What a shell starts in the background ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interruption_that_reaches_it_alone_ends_the_stages(pipeline):
    (pipeline / "dvc.yaml").write_text("stages: {long: {cmd: echo begun > begun; exec sleep 60, outs: [begun]}}")
    command = subprocess.Popen(
        [sys.executable, "-m", "vision_pipeline.cli.main", "repro"], env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True, preexec_fn=_interruptible,
    )  # fmt: skip
    until(lambda: (pipeline / "begun").exists())
    children = psutil.Process(command.pid).children()
    command.send_signal(signal.SIGINT)
    assert command.wait(30) != 0
    assert len(children) == 1
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
