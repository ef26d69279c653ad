import hashlib
import sqlite3
from pathlib import Path

import pytest
import torch

from benchmarks import overhead
from stages.compute.device import Machine, set_up

CPU = Machine(torch.device("cpu"), "fp32", 1, "test")


def trained(folder: Path) -> str:
    """The digest of a clone's model, which is then removed."""
    checkpoint = folder / "models" / overhead.MODEL / "checkpoint.pth"
    digest = hashlib.sha256(checkpoint.read_bytes()).hexdigest()
    checkpoint.unlink()
    return digest


def test_bare_and_by_dvc_with_mlflow_the_same_training_is_done(tmp_path):
    folder = tmp_path / "clone"
    overhead.clone(folder, 200)
    assert overhead.train(folder, overhead.BARE, "off") > 0
    assert not (folder / "mlflow.db").exists()
    bare = trained(folder)
    assert overhead.train(folder, overhead.DVC, "strict") > 0
    assert trained(folder) == bare
    with sqlite3.connect(folder / "mlflow.db") as database:
        assert database.execute("SELECT name, status FROM runs").fetchall() == [(overhead.MODEL, "FINISHED")]


def test_a_failing_command_is_no_measurement(tmp_path):
    with pytest.raises(overhead.subprocess.CalledProcessError):
        overhead.train(tmp_path, ("python", "-c", "raise SystemExit(1)"), "off")


@pytest.mark.parametrize("name", overhead.MODELS)
def test_both_modes_train(name, monkeypatch):
    modes = []
    monkeypatch.setattr(overhead, "fit", lambda *_: modes.append(torch.get_deterministic_debug_mode()))
    set_up("cpu", "fp32", 1, convolutions=True)
    overhead.epoch(name, 100, CPU)
    overhead.epoch_not_deterministic(name, 100, CPU)
    assert modes == [2, 0]
