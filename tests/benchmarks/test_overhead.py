import hashlib
import sqlite3
from pathlib import Path

import pytest
import torch

from benchmarks import overhead
from vision_pipeline.runtime.device import Runtime, setup_runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


def take_digest(folder: Path) -> str:
    """Return the digest of a clone's model, which is then removed."""
    checkpoint = folder / "models" / overhead.MODEL / "checkpoint.pth"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    checkpoint.unlink()
    return digest


def test_bare_and_by_dvc_with_mlflow_the_same_training_is_done(tmp_path):
    folder = tmp_path / "clone"
    overhead.clone_repository(folder, 200)
    assert overhead.time_training(folder, overhead.BARE_COMMAND, "off") > 0
    assert not (folder / "mlflow.db").exists()
    bare = take_digest(folder)
    assert overhead.time_training(folder, overhead.DVC_COMMAND, "strict") > 0
    assert take_digest(folder) == bare
    with sqlite3.connect(folder / "mlflow.db") as database:
        assert database.execute("SELECT name, status FROM runs").fetchall() == [(overhead.MODEL, "FINISHED")]


def test_a_failing_command_is_no_measurement(tmp_path):
    with pytest.raises(overhead.subprocess.CalledProcessError):
        overhead.time_training(tmp_path, ("python", "-c", "raise SystemExit(1)"), "off")


@pytest.mark.parametrize("name", overhead.MODELS)
def test_both_modes_train(name, monkeypatch):
    modes = []
    monkeypatch.setattr(overhead, "fit", lambda *_: modes.append(torch.get_deterministic_debug_mode()))
    setup_runtime("cpu", "fp32", 1, has_convolutions=True)
    overhead.time_epoch(name, 100, CPU)
    overhead.time_nondeterministic_epoch(name, 100, CPU)
    assert modes == [2, 0]
