"""The stage `train` with `devices: 2`, as a person or DVC runs it."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from history_file import read_history
from ruamel.yaml import YAML
from tiny_model import write_set

from stages import train
from vision_pipeline.training.distributed import num_processes

pytestmark = pytest.mark.long

MODEL, EPOCHS = "mnist-mlp", 100
_yaml = YAML()


@pytest.fixture
def project(tmp_path: Path, repository: Path) -> Path:
    """Return a folder with all that the stage reads: 20 images for training, in batches of 8, 8 and 4."""
    root = tmp_path / "project"
    write_set(root / "data" / "prepared" / "mnist")
    for nothing in ("augmented/none", "synthetic/none", "weights/none"):
        shutil.copytree(repository / "data" / nothing, root / "data" / nothing)
    params = _yaml.load(repository / "params.yaml")
    params["models"][MODEL]["train"].update(epochs=EPOCHS, batch_size=8)
    params["models"][MODEL]["seeds"] = []
    params.update(device="cpu", threads=2, devices=2)
    _yaml.dump(params, root / "params.yaml")
    return root


def copied(root: Path, name: str) -> Path:
    return Path(shutil.copytree(root, root.with_name(name)))


@pytest.fixture
def start(repository: Path) -> Iterator:
    """Yield a function that starts the stage in a folder; kill what is left of it in the end."""
    started: list[subprocess.Popen] = []

    def begin(root: Path, tracking: str = "off") -> subprocess.Popen:
        stage = subprocess.Popen(
            [sys.executable, "-m", "stages.train", MODEL], cwd=root, start_new_session=True, text=True,
            env={**os.environ, "PYTHONPATH": str(repository), "TRACKING": tracking},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        started.append(stage)
        return stage

    yield begin
    for stage in started:
        stage.kill()
        stage.communicate()


def finished(stage: subprocess.Popen) -> str:
    """Return the output of a stage that must succeed."""
    output, errors = stage.communicate(timeout=300)
    assert stage.returncode == 0, errors
    return output


def until(true, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def ranks(stage: subprocess.Popen, root: Path) -> list[psutil.Process]:
    """Return the stage's processes by rank, once they train: a state is newer than the stage."""
    begun = psutil.Process(stage.pid).create_time()

    def trains() -> bool:
        assert stage.poll() is None, stage.communicate()
        return any(state.stat().st_mtime > begun for state in root.glob(".ckpt/*/*.state"))

    until(trains, 120, "no state was saved")
    children = psutil.Process(stage.pid).children()
    own = [child for child in children if any("spawn_main" in word for word in child.cmdline())]
    return sorted(own, key=lambda child: child.create_time())


def end(stage: subprocess.Popen, root: Path, way: str) -> str:
    """End a stage within a minute, with nothing left of it; return its error output."""
    own = ranks(stage, root)
    if way == "Ctrl-C":
        os.killpg(stage.pid, signal.SIGINT)
    elif way == "launcher":
        stage.kill()
    else:
        own[int(way)].kill()
    errors = stage.communicate(timeout=60)[1]
    until(lambda: not any(child.is_running() for child in own), 60, "an orphan goes on training")
    assert not (root / "models").exists()
    return errors


def outcome(root: Path) -> tuple[bytes, bytes]:
    """Return the bytes of the checkpoint and of the history."""
    history = root / "reports" / "models" / MODEL / "history.csv"
    return (root / "models" / MODEL / "checkpoint.pth").read_bytes(), history.read_bytes()


def epochs_tracked(root: Path) -> list[int]:
    """Return the epochs in MLflow of the only run."""
    with sqlite3.connect(root / "mlflow.db") as database:
        ((run, status),) = database.execute("SELECT run_uuid, status FROM runs").fetchall()
        rows = database.execute("SELECT step FROM metrics WHERE run_uuid = ? AND key = 'val_loss'", [run]).fetchall()
    assert status == "FINISHED"
    return sorted(epoch for (epoch,) in rows)


def test_a_dead_process_ends_the_stage_which_then_goes_on_to_the_same_bits(project, start):
    alone = copied(project, "alone")
    undisturbed, killed = start(alone), start(project, "strict")  # at once: they do not take each other's port
    *before, message = end(killed, project, "1").splitlines()
    assert message.startswith(f"ERROR: rank 1 of {MODEL}'s training ended with exit code -9 (Signal 9 (SIGKILL)")
    assert message.endswith("run it again: it goes on from its last state")
    here_is_no_git = "the run is logged without what git knows of the code"
    assert [line for line in before if "INFO mlflow" not in line and here_is_no_git not in line] == []
    again = finished(start(project, "strict"))
    assert finished(undisturbed) == again
    assert again.count(MODEL) == 1  # only the first process speaks
    assert outcome(project) == outcome(alone)
    assert epochs_tracked(project) == list(range(1, EPOCHS + 1))


@pytest.mark.slow
def test_ended_in_any_way_it_goes_on_to_the_same_bits(project, start):
    alone = copied(project, "alone")
    undisturbed = start(alone)
    assert "ERROR: stopped by SIGINT" in end(start(project), project, "Ctrl-C")
    assert f"ERROR: rank 0 of {MODEL}'s training ended" in end(start(project), project, "0")
    end(start(project), project, "launcher")  # whose end is what ends the processes
    finished(undisturbed)
    finished(start(project))
    assert outcome(project) == outcome(alone)


def test_two_processes_learn_as_one_within_rounding(project, start, monkeypatch):
    single = copied(project, "single")
    params = _yaml.load(single / "params.yaml")
    _yaml.dump({**params, "devices": 1, "threads": 1}, single / "params.yaml")
    together = start(project)
    monkeypatch.chdir(single)
    monkeypatch.setenv("TRACKING", "off")
    train.main(MODEL)
    finished(together)
    ours, theirs = (read_history(root / "reports" / "models" / MODEL / "history.csv") for root in (project, single))
    assert [vars(epoch) for epoch in ours] == [pytest.approx(vars(epoch), rel=1e-4) for epoch in theirs]


def test_what_a_process_refuses_is_said_once(project, start):
    shutil.rmtree(project / "data" / "augmented")
    stage = start(project)
    errors = stage.communicate(timeout=120)[1]
    assert stage.returncode == 1
    assert errors == "ERROR: data/augmented/none/policy.json is missing; `dvc repro` makes it\n"


@pytest.mark.parametrize(
    ("devices", "device", "gpus", "expected"),
    [(1, "auto", 4, 1), (3, "cpu", 0, 3), (0, "cpu", 4, 1), (0, "auto", 4, 4), (0, "cuda", 0, 1)],
)
def test_zero_devices_are_all_gpus(devices, device, gpus, expected, monkeypatch):
    monkeypatch.setattr("torch.cuda.device_count", lambda: gpus)
    assert num_processes(devices, device) == expected


def test_a_process_that_torchrun_started_starts_none(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert num_processes(2, "cpu") == 1
