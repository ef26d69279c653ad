"""The stages that make synthetic images and grade them, and a model that learns from them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from safetensors.torch import load_file
from tiny_model import CLASSES, MLP, brightness_checkpoint, write_set

from stages import grade, synthesize, train
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.data.format import create_memmap, open_dataset, write_info, write_targets
from vision_pipeline.models.checkpoint import load_checkpoint, save_checkpoint
from vision_pipeline.tracking.store import open_store

_yaml = YAML(typ="safe", pure=True)
FOLDER = Path("data/synthetic/toy-gan")
GENERATOR = {
    "dataset": "toy", "fraction": 0.5, "per_class": 3, "grader": "judge",
    "gan": {"width": 4, "latent": 8, "steps": 20, "batch_size": 6, "lr": 0.001},
}  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with 20 training images, a generator, its grader and a model that its images join."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKING", "off")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    params = _yaml.load(repository / "params.yaml")
    params.update(device="cpu", precision="fp32", threads=1, generators={"toy-gan": GENERATOR})
    params["datasets"]["toy"] = params["datasets"]["mnist"] | {"prepare": {**_PREPARE, "size": 8}}
    judge = params["models"]["mnist-mlp"] | MLP | {"dataset": "toy", "inputs": "prepared/toy"}
    loop = judge["train"] | {"epochs": 2, "batch_size": 8}
    helped = judge | {"fraction": 0.5, "synthetic": "toy-gan", "train": loop}
    params["models"] |= {"judge": judge, "helped": helped, "alone": helped | {"synthetic": "none"}}
    _yaml.dump(params, tmp_path / "params.yaml")
    for nothing in ("augmented/none", "synthetic/none", "weights/none"):
        shutil.copytree(repository / "data" / nothing, Path("data", nothing))
    write_set(Path("data/prepared/toy"))
    return tmp_path


_PREPARE = {"channels": 1, "validation": 0.1, "test": 0.1}


def _bytes() -> dict[str, bytes]:
    return {path.as_posix(): path.read_bytes() for path in FOLDER.rglob("*") if path.is_file()}


def test_what_the_stage_writes(project: Path) -> None:
    synthesize.main("toy-gan")
    images, targets = (np.load(FOLDER / "images" / f"{name}.npy") for name in ("inputs", "targets"))
    assert (images.shape, images.dtype) == ((6, 8, 8, 1), np.uint8)
    assert targets.tolist() == [0, 0, 0, 1, 1, 1]
    metadata, data = read_json(FOLDER / "images/about.json"), read_json(Path("data/prepared/toy/dataset.json"))
    expected = {"name": "toy-gan", "dataset": "toy", "provenance": "stand-in", "fraction": 0.5, "seed": 0, "seen": 10}
    assert expected | {"source": data["digest"], "synthetic": True, "images": 6} == {
        key: value for key, value in metadata.items() if not key.endswith("_sha256")
    }
    assert sorted(path.name for path in (FOLDER / "samples").iterdir()) == [
        f"step-{step:07d}.png" for step in range(2, 21, 2)
    ]
    assert len((FOLDER / "losses.csv").read_text().splitlines()) == 21
    assert "linear.weight" in load_file(FOLDER / "generator.safetensors")
    assert read_json(FOLDER / "training.json")["settings"]["gan"] == GENERATOR["gan"]


def test_a_second_run_gives_the_same_bytes_with_and_without_the_first_ones_state(project: Path) -> None:
    synthesize.main("toy-gan")
    first = _bytes()
    synthesize.main("toy-gan")
    assert _bytes() == first
    shutil.rmtree(".ckpt")
    shutil.rmtree(FOLDER)
    synthesize.main("toy-gan")
    assert _bytes() == first


def _inverted(split: str, rows: Any = slice(None)) -> None:
    """Invert the images of a split."""
    file = Path("data/prepared/toy", split, "inputs.npy")
    images = np.load(file)
    images[rows] = 255 - images[rows]
    np.save(file, images)


def test_validation_and_test_are_not_looked_at(project: Path) -> None:
    synthesize.main("toy-gan")
    first = _bytes()
    shutil.rmtree(".ckpt")
    for split in ("val", "test"):
        _inverted(split)
    synthesize.main("toy-gan")
    assert _bytes() == first


def test_nor_are_the_training_images_outside_its_share(project: Path) -> None:
    from vision_pipeline.data.training_data import stratified_subset

    synthesize.main("toy-gan")
    first = _bytes()
    shutil.rmtree(".ckpt")
    targets = np.load("data/prepared/toy/train/targets.npy")
    _inverted("train", np.setdiff1d(np.arange(20), stratified_subset(targets, 0.5, 0, "toy")))
    synthesize.main("toy-gan")
    assert _bytes() == first


def test_the_training_does_not_go_by_what_is_made_of_it(project: Path) -> None:
    synthesize.main("toy-gan")
    key = read_json(FOLDER / "training.json")["key"]
    params = _yaml.load(Path("params.yaml"))
    params["generators"]["toy-gan"].update(per_class=5, grader="alone")
    _yaml.dump(params, Path("params.yaml"))
    synthesize.main("toy-gan")
    assert read_json(FOLDER / "training.json")["key"] == key
    assert len(np.load(FOLDER / "images/targets.npy")) == 10


def test_a_model_is_marked_with_the_images_that_joined(project: Path) -> None:
    synthesize.main("toy-gan")
    tags = {"helped": {"synthetic": "toy-gan", "synthetic_images": 6}}
    tags["alone"] = {"synthetic": "none", "synthetic_images": 0}
    for name, expected in tags.items():
        train.main(name)
        report = read_json(Path("reports/models", name, "train.json"))
        checkpoint = load_checkpoint(Path("models", name, "checkpoint.pth"))
        for record in (report, checkpoint.provenance, checkpoint.training):
            assert expected.items() <= record.items()
    losses = [read_json(Path("reports/models", name, "train.json"))["train_loss"] for name in tags]
    assert losses[0] != losses[1]


def test_the_grade_is_the_graders_verdict(project: Path) -> None:
    synthesize.main("toy-gan")
    state = Path(".ckpt", read_json(FOLDER / "training.json")["key"])
    assert state.exists()
    save_checkpoint(Path("models/judge/checkpoint.pth"), brightness_checkpoint())
    light = np.full((6, 8, 8, 1), 200, np.uint8)
    light[:2] = 20
    np.save(FOLDER / "images/inputs.npy", light)
    grade.main("toy-gan")
    report = read_json(FOLDER / "grade.json")
    assert report.pop("confidence") > 0.5
    assert report == {
        "grader": "judge", "images": 6, "as_intended": 0.833333, "by_class": {CLASSES[0]: 0.666667, CLASSES[1]: 1.0},
    }  # fmt: skip
    assert not state.exists()  # DVC has taken note


def test_a_run_has_losses_samples_and_the_grade(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRACKING", "strict")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    synthesize.main("toy-gan")
    save_checkpoint(Path("models/judge/checkpoint.pth"), brightness_checkpoint())
    grade.main("toy-gan")
    store = open_store()
    (run,) = store.client.search_runs([store.experiment_id])
    assert (run.info.run_name, run.info.status) == ("toy-gan", "FINISHED")
    assert run.data.tags["generator"] == "toy-gan"
    assert "model" not in run.data.tags
    assert run.data.params["gan.width"] == "4"
    assert run.data.metrics["grade.as_intended"] == read_json(FOLDER / "grade.json")["as_intended"]
    losses = store.client.get_metric_history(run.info.run_id, "discriminator")
    assert [point.step for point in losses] == list(range(1, 21))
    assert len(store.client.list_artifacts(run.info.run_id, "samples")) == 10


def test_inputs_that_are_no_images_are_refused_before_any_work(project: Path) -> None:
    folder = Path("data/prepared/toy")
    for split in ("train", "val", "test"):
        rows = len(open_dataset(folder).targets(split)) if split == "train" else 4
        create_memmap(Path("other"), split, num_rows=rows, shape=[5], kind="features")[:] = 0
        write_targets(Path("other"), split, np.arange(rows) % 2)
    write_info(Path("other"), "features", CLASSES, mean=[0.0] * 5, std=[1.0] * 5, provenance={"status": "own"})
    shutil.rmtree(folder)
    shutil.move("other", folder)
    message = r"generators\.toy-gan\.dataset is 'toy', whose inputs are features; allowed: images"
    with pytest.raises(UserError, match=message):
        synthesize.main("toy-gan")
    assert not FOLDER.exists() and not Path(".ckpt").exists()


def test_a_grader_of_other_images_is_refused(project: Path) -> None:
    synthesize.main("toy-gan")
    other = brightness_checkpoint()
    save_checkpoint(Path("models/judge/checkpoint.pth"), type(other)(**{**vars(other), "input_shape": [16, 16, 1]}))
    with pytest.raises(UserError, match="models/judge takes other images than data/synthetic/toy-gan"):
        grade.main("toy-gan")
    assert "grade" not in json.dumps(sorted(path.name for path in FOLDER.iterdir()))


# the stage, whose state is saved as often as its time allows
_OFTEN = """
import runpy
from vision_pipeline.training import checkpointing
checkpointing._SECONDS_BETWEEN_SAVES = 0.0
runpy.run_module("stages.synthesize", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_stage_ends_with_the_same_bytes(project: Path, repository: Path, how: signal.Signals) -> None:
    params = _yaml.load(Path("params.yaml"))
    params["generators"]["toy-gan"]["gan"]["steps"] = 400
    _yaml.dump(params, Path("params.yaml"))

    def start() -> subprocess.Popen:
        command = [sys.executable, "-c", _OFTEN, "toy-gan"]
        environment = {**os.environ, "PYTHONPATH": str(repository)}
        return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)

    first = start()
    while not any(Path(".dvc/tmp/locks").glob("train-*")):  # it has begun to train
        time.sleep(0.02)
        assert first.poll() is None
    if how == signal.SIGKILL:  # which lets it save nothing
        while not any(Path(".ckpt").rglob("*.state")):
            time.sleep(0.02)
            assert first.poll() is None
    time.sleep(0.1)
    first.send_signal(how)
    _, errors = first.communicate()
    assert first.returncode == (1 if how == signal.SIGTERM else -how)
    assert not FOLDER.exists()
    if how == signal.SIGTERM:
        assert errors.strip().endswith("ERROR: stopped by SIGTERM")
    assert any(Path(".ckpt").rglob("*.state"))
    assert start().wait() == 0
    interrupted = _bytes()
    shutil.rmtree(".ckpt")
    assert start().wait() == 0
    assert _bytes() == interrupted
