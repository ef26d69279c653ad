"""The stages train and evaluate of a model with several seeds, each of which must be as if it were trained alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from tiny_model import write_set
from tiny_project import write_nothing

from stages import evaluate
from vision_pipeline.models.checkpoint import load_checkpoint
from vision_pipeline.tracking.store import open_store

MODEL = "mnist-mlp"
_yaml = YAML()


@pytest.fixture
def project(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with all that the stages read."""
    write_set(tmp_path / "data/prepared/mnist")
    write_nothing(tmp_path, repository)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(repository))
    for name in ("TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    shutil.copy(repository / "params.yaml", tmp_path)
    return tmp_path


def train_with(seeds: list[int], fraction: float = 0.5, deterministic: bool = True) -> None:
    params = _yaml.load(Path("params.yaml"))
    params["models"][MODEL] |= {"seeds": seeds, "fraction": fraction}
    params["models"][MODEL]["train"].update(epochs=2, batch_size=8)
    params.update(device="cpu", threads=1, precision="fp32", deterministic=deterministic)
    _yaml.dump(params, Path("params.yaml"))
    # a process of its own, as DVC starts it: what one training leaves behind must not matter to the next
    subprocess.run([sys.executable, "-m", "stages.train", MODEL], check=True, capture_output=True)


def weights(folder: Path) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in load_checkpoint(folder / "checkpoint.pth").state_dict.values()])


def test_each_seed_gives_what_it_gives_alone_and_has_a_run_below_the_first(project: Path) -> None:
    train_with([4, 7])
    model, seven = Path("models") / MODEL, Path("models") / MODEL / "seeds/7"
    both, history = (weights(model), weights(seven)), (seven / "history.csv").read_bytes()
    key = json.loads((seven / "training.json").read_text())["key"]
    assert not torch.equal(*both)
    evaluate.main(MODEL)
    seeds = pd.read_csv(f"reports/models/{MODEL}/seeds.csv")
    assert seeds["seed"].tolist() == [4, 7]

    store = open_store()
    runs = {run.info.run_name: run for run in store.client.search_runs([store.experiment_id])}
    assert runs.keys() == {MODEL, f"{MODEL}, seed 7"}
    child, parent = runs[f"{MODEL}, seed 7"], runs[MODEL]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert (parent.data.params["seed"], child.data.params["seed"]) == ("4", "7")
    assert child.data.metrics["test.accuracy"] == pytest.approx(seeds["accuracy"][1], abs=1e-6)
    assert parent.data.metrics["test.accuracy_mean"] == pytest.approx(seeds["accuracy"].mean(), abs=1e-6)

    train_with([7])
    assert torch.equal(weights(model), both[1])
    assert Path(f"reports/models/{MODEL}/history.csv").read_bytes() == history
    assert json.loads((model / "training.json").read_text())["key"] == key
    assert not seven.exists()


def test_without_seeds_it_is_trained_with_that_of_all(project: Path) -> None:
    train_with([], deterministic=False)
    report = json.loads(Path(f"reports/models/{MODEL}/train.json").read_text())
    assert (report["seed"], report["deterministic"]) == (0, False)
    assert not (Path("models") / MODEL / "seeds").exists()
    store = open_store()
    (run,) = store.client.search_runs([store.experiment_id])
    assert (run.data.params["deterministic"], run.data.tags["deterministic"]) == ("False", "False")


def test_all_seeds_learn_from_the_same_share_of_the_images(project: Path) -> None:
    train_with([4, 7])
    settings = [
        json.loads((folder / "training.json").read_text())["settings"]
        for folder in (Path("models") / MODEL, Path("models") / MODEL / "seeds/7")
    ]
    assert [setting["subset_seed"] for setting in settings] == [0, 0]
