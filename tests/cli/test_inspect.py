"""`vision inspect`, of a tiny model that the stages have really trained and tested."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_model import write_set
from tiny_project import git, write_nothing, write_params

from vision_pipeline.cli.inspect import inspect
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking.store import open_store

MODEL = "mnist-mlp"
CHECKPOINT = f"models/{MODEL}/checkpoint.pth"


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A repository whose commit holds the model's reports; its store has the run."""
    root = tmp_path_factory.mktemp("inspect")
    write_set(root / "data/prepared/mnist")
    write_nothing(root, repository)

    def change(params: dict[str, Any]) -> None:
        params["models"][MODEL]["seeds"] = [5]
        params["models"][MODEL]["train"]["epochs"] = 1

    write_params(root, repository, change)
    environment = os.environ | {"PYTHONPATH": str(repository), "DVC_ROOT": str(root)}
    for stage in ("train", "evaluate"):
        subprocess.run(
            [sys.executable, "-m", f"stages.{stage}", MODEL], check=True, capture_output=True, cwd=root,
            env={name: value for name, value in environment.items() if name not in ("TRACKING", "MLFLOW_TRACKING_URI")},
        )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        git("init", "-q", "-b", "main")
        git("add", "reports")
        git("commit", "-qm", "A model")
        git("update-ref", f"refs/exps/{'0' * 2}/{'0' * 38}/brave-cat", git("rev-parse", "HEAD"))
    return root


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy, to change; its store's artifacts stay where they are."""
    root = Path(shutil.copytree(trained, tmp_path / "copy"))
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    for name in ("TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return root


def run_id() -> str:
    store = open_store()
    return str(store.client.search_runs([store.experiment_id])[0].info.run_id)


@pytest.mark.parametrize("by", [MODEL, CHECKPOINT, "run", "beginning"])
def test_the_chain_from_the_source_to_the_prediction(place: Path, capsys: pytest.CaptureFixture[str], by: str) -> None:
    of = {"run": run_id(), "beginning": run_id()[:8]}.get(by, by)
    capsys.readouterr()
    inspect(of)
    output = capsys.readouterr().out
    report = json.loads(Path(f"reports/models/{MODEL}/train.json").read_text())
    digest = json.loads(Path("data/prepared/mnist/dataset.json").read_text())["digest"]
    for said in (
        f"SHA-256 of the arrays {digest}: data/prepared/mnist has it",
        "seed 5; epochs: 1, kept: number 1",
        f"key {report['key']}, over all of this: made again from the files here, it is the same",
        "uint8 8 × 8 × 1 → / 255 → − (0.5000) → / (0.5000) → mlp → 2 logits → softmax",
        f"branch main, commit {git('rev-parse', 'HEAD')[:12]}",
        "experiment brave-cat, commit",
        f"run {run_id()}, FINISHED",
        "accuracy ",
    ):
        assert said in output


def test_data_that_have_changed_are_found_out(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = Path("data/prepared/mnist/train/inputs.npy")
    pixels = np.load(file)
    pixels[0, 0, 0] ^= 1
    np.save(file, pixels)
    policy = Path("data/augmented/none/policy.json")
    policy.write_text(policy.read_text() + "\n")
    inspect(MODEL)
    output = capsys.readouterr().out
    assert "data/prepared/mnist has ANOTHER" in output
    assert "the files here give ANOTHER" in output


def test_without_data_store_and_git_the_checkpoint_still_tells(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for folder in ("data", ".git", "reports"):
        shutil.rmtree(folder)
    Path("mlflow.db").unlink()
    inspect(CHECKPOINT)
    output = capsys.readouterr().out
    assert "data/prepared/mnist is not here" in output
    assert "cannot be made again, for data/weights/none is not here" in output
    assert "git          not known: `git for-each-ref" in output and "not a git repository" in output
    assert "no run here; `vision sync` makes one" in output
    assert not Path("mlflow.db").exists()


def test_of_a_run_whose_model_is_not_here_the_way_back_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = run_id()
    shutil.rmtree("models")
    open_store().client.set_tag(run, "dvc.exp.brave-cat", "1")
    inspect(run)
    assert "`dvc exp apply brave-cat` brings the model back" in capsys.readouterr().out


def test_what_is_unknown_is_refused(place: Path) -> None:
    with pytest.raises(UserError, match="zzz is neither a checkpoint nor a model in models/ nor the id of a run"):
        inspect("zzz")
