"""A workspace with one trained model, as far as tracking sees it."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from vision_pipeline.tracking.store import open_store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A fresh database, made once: its migrations take seconds."""
    folder = tmp_path_factory.mktemp("store")
    shutil.copy(ROOT / "params.yaml", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        patch.setenv("DVC_ROOT", str(folder))
        open_store()
    with sqlite3.connect(folder / "mlflow.db") as database:
        # an experiment knows the folder of its artifacts: every workspace makes its own
        database.execute("DELETE FROM experiments WHERE experiment_id = 1")
    return folder / "mlflow.db"


@pytest.fixture
def workspace(tmp_path, monkeypatch, empty_store) -> Path:
    """A repository's root with a store and the files of the trained model `mnist-mlp`."""
    shutil.copy(empty_store, tmp_path / "mlflow.db")
    shutil.copy(ROOT / "params.yaml", tmp_path)
    for name in ("TRACKING", "MLFLOW_TRACKING_URI", "DVC_EXP_NAME", "DVC_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    _write_model(tmp_path)
    return tmp_path


def _write_model(root: Path) -> None:
    for folder in ("models/mnist-mlp", "reports/models/mnist-mlp", "data/prepared/mnist"):
        (root / folder).mkdir(parents=True)
    settings = {"name": "mnist-mlp", "seed": 0, "model": {"inputs": "prepared/mnist", "train": {"lr": 0.1}}}
    training = {"key": "0123456789abcdef", "settings": settings}
    (root / "models/mnist-mlp/training.json").write_text(json.dumps(training))
    hardware = {"device": "cpu", "machine": "a processor", "precision": "fp32", "precision_by": "asked for"}
    hardware |= {"threads": 2, "devices": 1}
    report = {"key": "0123456789abcdef", "code": "c", "dataset": "mnist", "provenance": "stand-in", **hardware}
    report |= {"synthetic": "none", "synthetic_images": 0}
    (root / "reports/models/mnist-mlp/train.json").write_text(json.dumps(report))
    history = "epoch,lr,train_loss,train_accuracy,val_loss,val_accuracy\n1,0.1,2,0.1,2,0.2\n2,0.1,1,0.5,1,0.6\n"
    (root / "reports/models/mnist-mlp/history.csv").write_text(history)
    layers = "epoch,layer,gradient_norm,saturated,dead\n0,first,2.0,0.25,\n0,output,1.0,,\n1,first,0.5,0.5,\n"
    (root / "reports/models/mnist-mlp/layers.csv").write_text(layers)
    info = {
        "provenance": {"status": "stand-in", "source": "stand-in"},
        "digest": "d" * 64,
        "counts": {"train": {"0": 9}},
    }
    (root / "data/prepared/mnist/dataset.json").write_text(json.dumps(info))
