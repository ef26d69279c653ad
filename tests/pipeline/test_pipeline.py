"""The whole pipeline, as a person runs it."""

import csv
import json
import sqlite3
from pathlib import Path

import pytest
import torch
from clones import GENERATOR
from PIL import Image
from ruamel.yaml import YAML
from safetensors.torch import load_file

from vision_pipeline.models.checkpoint import load_checkpoint

MODELS = (
    "mnist-logistic", "mnist-mlp", "mnist-mlp-wide", "mnist-cnn", "mnist-speednet",
    "cifar10-mlp", "cifar10-cnn", "cifar10-speednet",
    "cats_dogs-densenet121", "cats_dogs-efficientnet_lite0",
    "hello-elman", "shakespeare-lstm",
)  # fmt: skip
RUNS = (*MODELS, "mnist-mlp, seed 1", "mnist-mlp, seed 2", GENERATOR)
# check, data sets, policies, backbones and features, the generator, models, compare
STAGES = 1 + 5 * 2 + 4 + 2 * 2 + 2 + 12 * 3 + 1
EXPORTS = ["card.md", "checkpoint.pth", "model.onnx", "model.pt2", "model.safetensors", "parity.json"]


def ran(output: str) -> list[str]:
    """The stages that a `dvc repro` ran, or would run."""
    lines = [line for line in output.splitlines() if line.startswith("Running stage '")]
    return [line.split("'")[1] for line in lines if "check" not in line]


def runs(root: Path) -> list[tuple[str, str]]:
    """Name and status of every MLflow run, in the order they were made."""
    with sqlite3.connect(root / "mlflow.db") as database:
        return database.execute("SELECT name, status FROM runs ORDER BY start_time").fetchall()


def test_every_model_is_trained_evaluated_exported_and_ranked(clones):
    root = clones[0].root
    with (root / "reports/leaderboard.csv").open() as file:
        rows = list(csv.reader(file))
    assert rows[0][:7] == ["model", "dataset", "provenance", "accuracy", "accuracy_low", "accuracy_high", "parameters"]
    assert sorted(row[0] for row in rows[1:]) == sorted(MODELS)
    assert {row[2] for row in rows[1:] if row[0] != "hello-elman"} == {"stand-in"}
    for model in MODELS:
        assert sorted(path.name for path in (root / "exports" / model).iterdir()) == EXPORTS


def test_parameter_counts(clones):
    reports = clones[0].root / "reports" / "models"
    counts = {model: json.loads((reports / model / "metrics.json").read_text())["parameters"] for model in MODELS}
    assert counts["mnist-logistic"] == 7_850
    assert counts["mnist-mlp"] == 109_386
    assert counts["cifar10-cnn"] == 541_094
    assert counts["cats_dogs-densenet121"] == 7_216_770
    train = json.loads((reports / "cats_dogs-densenet121" / "train.json").read_text())
    assert train["trainable_parameters"] == 262_914


def test_a_frozen_backbone_leaves_the_pipeline_as_it_came(clones):
    root = clones[0].root
    checkpoint = load_checkpoint(root / "exports/cats_dogs-densenet121/checkpoint.pth")
    came = load_file(root / "data/weights/densenet121/weights.safetensors")
    assert all(torch.equal(checkpoint.state_dict[f"backbone.{name}"], tensor) for name, tensor in came.items())


def test_every_model_has_one_finished_run_with_its_test_accuracy(clones):
    root = clones[0].root
    assert sorted(runs(root)) == sorted((name, "FINISHED") for name in RUNS)
    with sqlite3.connect(root / "mlflow.db") as database:
        (logged,) = database.execute("SELECT count(*) FROM latest_metrics WHERE key = 'test.accuracy'").fetchone()
    assert logged == len(RUNS) - 1  # a generator is not tested


def test_two_clones_in_different_folders_agree_to_the_bit(clones):
    first, second = (YAML(typ="safe").load(clone.root / "dvc.lock")["stages"] for clone in clones)
    assert first.keys() == second.keys()
    differing = [name for name in first if first[name] != second[name]]
    assert not differing


def test_a_second_run_does_nothing(clones):
    clone = clones[0]
    before = (clone.root / "dvc.lock").read_bytes()
    assert ran(clone.run("dvc", "repro")) == []
    assert (clone.root / "dvc.lock").read_bytes() == before
    assert len(runs(clone.root)) == len(RUNS)


@pytest.mark.parametrize("stage", ["evaluate@mnist-mlp", "export@mnist-mlp"])
def test_evaluating_or_exporting_again_finds_the_runs_again(clones, stage):
    clone = clones[0]
    clone.run("dvc", "repro", "-f", "-s", stage)
    assert len(runs(clone.root)) == len(RUNS)


def test_adding_an_architecture_retrains_nothing(clones, params):
    root = clones[0].root
    new = root / "vision_pipeline/models/perceptron.py"
    new.write_text((root / "vision_pipeline/models/mlp.py").read_text())
    schema = root / "vision_pipeline/config/models.py"
    before = schema.read_text()
    schema.write_text(before.replace('Literal["mlp"]', 'Literal["mlp", "perceptron"]'))
    yaml = YAML()
    content = yaml.load(params)
    content["models"]["mnist-new"] = {**content["models"]["mnist-mlp"], "architecture": "perceptron"}
    yaml.dump(content, params)
    try:
        code = "from vision_pipeline.config.load import load_params; load_params('models.mnist-new')"
        clones[0].run("python", "-c", code)
        # -k: in a dry run the new model's evaluation misses what its training would have made
        would_run, _ = clones[0].start("dvc", "repro", "--dry", "-k").communicate()
    finally:
        new.unlink()
        schema.write_text(before)
    assert ran(would_run) == ["train@mnist-new"]
    assert would_run.count("didn't change, skipping") == STAGES - len(("check", "compare"))


def test_an_experiment_in_a_temporary_copy_keeps_its_run(clones):
    clone = clones[0]
    clone.commit("Results")
    change = "models.mnist-logistic.train.lr=0.05"
    clone.run("dvc", "exp", "run", "--temp", "--name", "faster", "-S", change, "train@mnist-logistic")
    with sqlite3.connect(clone.root / "mlflow.db") as database:
        tagged = database.execute(
            "SELECT count(*) FROM tags WHERE key = 'dvc.exp_name' AND value = 'faster'"
        ).fetchone()
    assert tagged == (1,)
    assert runs(clone.root)[-1] == ("mnist-logistic", "FINISHED")


def test_a_result_is_made_again_from_its_commit(clones):
    clone = clones[0]
    clone.commit("Results")
    said = clone.run("python", "-m", "vision_pipeline.cli.main", "verify", "mnist-logistic")
    assert "17 of 17 outputs identical" in said and said.endswith("\n1 identical\n")


def test_edits_of_ones_own_folder_are_seen(clones, params):
    clone = clones[0]
    for name in ("cat", "dog"):
        (clone.root / "mine" / name).mkdir(parents=True)
        for shade in range(12):
            Image.new("RGB", (16, 16), (20 * shade, 0, 0 if name == "cat" else 200)).save(
                clone.root / "mine" / name / f"{shade}.png"
            )
    prepare = {"size": 16, "channels": 3, "validation": 0.2, "test": 0.2}
    clone.change(data__limit=0)
    clone.change(datasets__mine={"kind": "folder", "path": "mine", "source": "auto", "prepare": prepare})
    clone.run("dvc", "repro", "prepare@mine")
    about = json.loads((clone.root / "data/prepared/mine/dataset.json").read_text())
    assert about["class_names"] == ["cat", "dog"]
    assert about["provenance"]["status"] == "own"
    (clone.root / "mine/dog/0.png").unlink()
    assert ran(clone.run("dvc", "repro", "prepare@mine")) == ["download@mine", "prepare@mine"]


def test_invalid_params_stop_the_pipeline_before_any_stage_works(clones, params):
    clones[0].change(**{"models__mnist-mlp__train__optimizer": "sdg"})
    process = clones[0].start("dvc", "repro", "train@mnist-mlp")
    output, _ = process.communicate()
    assert process.returncode != 0
    assert "models.mnist-mlp.train.optimizer is 'sdg'; did you mean 'sgd'?" in output


def test_changing_a_model_reruns_that_model_and_compare_alone(clones, params):
    clones[0].change(**{"models__mnist-mlp__train__lr": 0.01})
    expected = [f"{stage}@mnist-mlp" for stage in ("train", "evaluate", "export")]
    assert sorted(ran(clones[0].run("dvc", "repro"))) == sorted([*expected, "compare"])
