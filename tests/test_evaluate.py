"""The stage evaluate, on a tiny data set and a network whose predictions can be computed by hand."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fake_reports import write_training

from stages import evaluate
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.data.format import SPLITS, create_memmap, write_info, write_targets
from vision_pipeline.models.checkpoint import Checkpoint, save_checkpoint
from vision_pipeline.tracking.run import Run

CLASSES = ["dark", "bright"]
TARGETS = np.array([0, 1, 0, 1, 1])
# the fourth is bright by its target and dark by its pixels: the one mistake
PIXELS = np.array([0, 255, 20, 30, 250], np.uint8)
FILES = {
    "train.json",
    "history.csv",
    "metrics.json",
    "data.json",
    "summary.csv",
    "summary.txt",
    "confusion.csv",
    "reliability.csv",
    "per_class.csv",
    "seeds.csv",
    "predictions.csv",
    "learning_curves.png",
    "confusion.png",
    "reliability.png",
    "mistakes.png",
}


RANDOM_BACKBONE = {"backbone": {"name": "densenet121", "weights": {"status": "random"}}}


def write_set(folder: Path, kind: str, inputs: np.ndarray, targets: np.ndarray = TARGETS) -> None:
    """Write a data set with the same rows in every split."""
    for split in SPLITS:
        create_memmap(folder, split, num_rows=len(inputs), shape=list(inputs.shape[1:]), kind=kind)[:] = inputs
        write_targets(folder, split, targets)
        rows = pd.DataFrame(
            {"hash": [f"{i:064x}" for i in range(len(inputs))], "name": [f"{i}.png" for i in range(len(inputs))]}
        )
        rows.to_csv(folder / split / "rows.csv", index=False)
    (folder / "rejects.csv").write_text("file,reason\nCat/666.jpg,not an image\n")
    provenance = {
        "name": "tiny",
        "status": "variant",
        "source": "mirror",
        "digest": "00" * 32,
        "licence": "MIT",
        "note": "",
    }
    if kind == "features":
        provenance |= RANDOM_BACKBONE  # type: ignore[arg-type]
    write_info(folder, kind, CLASSES, mean=[0.5], std=[0.5], provenance=provenance)  # type: ignore[arg-type]


def write_model(
    name: str, architecture: str, shape: list[int], *, mean: float, std: float, key: str = "0123456789abcdef"
) -> None:
    """Write a linear model: the logit of the second class is 10 times the mean of the inputs, the first is 0."""
    dimensions = int(np.prod(shape))
    settings = {"hidden": [], "activation": "relu", "dropout": 0.0}
    settings |= {"batch_norm": False} if architecture == "mlp" else {}
    from vision_pipeline.models.build import build_model

    network = build_model(architecture, settings, shape, 2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        weight = next(parameter for parameter in network.parameters() if parameter.ndim == 2)
        weight[1] = 10 / dimensions
    checkpoint = Checkpoint(
        name=name,
        architecture=architecture,
        settings=settings,
        input_shape=shape,
        class_names=CLASSES,
        normalize={"mean": [mean] * shape[-1], "std": [std] * shape[-1]},
        backbone=None,
        state_dict=network.state_dict(),
        provenance=RANDOM_BACKBONE if architecture == "transfer" else {},
        training={"key": key},
        versions={},
        metrics={},
    )
    save_checkpoint(Path("models") / name / "checkpoint.pth", checkpoint)


def make_images() -> np.ndarray:
    return np.repeat(PIXELS, 16).reshape(5, 4, 4, 1)


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copy(repository / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKING", "off")
    write_set(Path("data/prepared/mnist"), "images", make_images())
    write_model("mnist-mlp", "mlp", [4, 4, 1], mean=0.5, std=0.5)
    write_training(Path("reports/models/mnist-mlp"), {"parameters": 34, "trainable_parameters": 34})
    return tmp_path / "reports/models/mnist-mlp"


def test_what_is_written(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    evaluate.main("mnist-mlp")
    assert {path.name for path in workspace.iterdir()} == FILES
    metrics = json.loads((workspace / "metrics.json").read_text())
    # pixels 0, 255, 20, 30, 250 on -1..1, times 10, are the second class's scores
    scores = (PIXELS.astype(float) / 255 - 0.5) / 0.5 * 10
    chance = 1 / (1 + np.exp(-scores))
    loss = -np.log(np.where(TARGETS == 1, chance, 1 - chance)).mean()
    assert metrics.pop("loss") == pytest.approx(loss, abs=2e-6)
    assert metrics.pop("ece") == pytest.approx(abs(np.maximum(chance, 1 - chance) - [1, 1, 1, 0, 1]).mean(), abs=0.01)
    assert metrics == {
        "accuracy": 0.8,
        "accuracy_low": 0.375535,
        "accuracy_high": 0.963776,
        "macro_f1": 0.8,
        "images": 5,
        "correct": 4,
        "seeds": 1,
        "parameters": 34,
        "trainable_parameters": 34,
        "dataset": "mnist",
        "provenance": "variant",
        "device": metrics["device"],
    }
    assert "80.00% of 5 test images right (37.55% to 96.38%)" in capsys.readouterr().out


def test_the_accuracy_over_views_is_reported_apart(workspace: Path) -> None:
    evaluate.main("mnist-mlp")
    plain = json.loads((workspace / "metrics.json").read_text())
    params = Path("params.yaml")
    params.write_text(params.read_text().replace("    cifar10: mirror-shift", "    mnist: mirror-shift"))
    evaluate.main("mnist-mlp")
    metrics = json.loads((workspace / "metrics.json").read_text())
    # every image is of one shade, so all its views are alike
    views = {key: metrics.pop(f"tta_{key}") for key in ("accuracy", "accuracy_low", "accuracy_high")}
    assert views == {key: plain[key] for key in views}
    assert metrics == plain


def test_the_training_s_state_is_needed_no_more(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(Path.cwd()))
    states = {key: Path(".ckpt") / key for key in ("0123456789abcdef", "fedcba9876543210")}
    for folder in states.values():
        folder.mkdir(parents=True)
        (folder / "a.state").write_bytes(b"state")
    evaluate.main("mnist-mlp")
    assert [folder.exists() for folder in states.values()] == [False, True]


def test_every_prediction_is_written(workspace: Path) -> None:
    evaluate.main("mnist-mlp")
    table = pd.read_csv(workspace / "predictions.csv")
    assert table["name"].tolist() == ["0.png", "1.png", "2.png", "3.png", "4.png"]
    assert table["actual"].tolist() == ["dark", "bright", "dark", "bright", "bright"]
    assert table["predicted"].tolist() == ["dark", "bright", "dark", "dark", "bright"]
    assert table["p(dark)"][3] == pytest.approx(1 / (1 + np.exp((30 / 255 - 0.5) / 0.5 * 10)), abs=1e-6)
    assert (workspace / "confusion.csv").read_text().splitlines()[1:] == [
        "dark,dark",
        "dark,dark",
        "bright,dark",
        "bright,bright",
        "bright,bright",
    ]


def test_of_several_seeds_each_is_tested_and_their_spread_told(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(Path.cwd()))
    for seed, (mean, key) in {7: (0.9, "f" * 16), 10: (0.5, "e" * 16)}.items():  # with 0.9, but white is dark
        write_model("mnist-mlp/seeds/" + str(seed), "mlp", [4, 4, 1], mean=mean, std=0.5, key=key)
        write_training(Path("models/mnist-mlp/seeds") / str(seed), {"seed": seed, "key": key, "val_accuracy": 0.5})
    state = Path(".ckpt") / ("f" * 16)
    state.mkdir(parents=True)
    evaluate.main("mnist-mlp")
    assert not state.exists()
    table = pd.read_csv(workspace / "seeds.csv")
    assert table["seed"].tolist() == [0, 7, 10]
    assert table["accuracy"].tolist() == [0.8, 0.8, 0.8]
    assert table["val_accuracy"].tolist() == [0.75, 0.5, 0.5]
    assert table["loss"][0] == table["loss"][2] != table["loss"][1]
    metrics = json.loads((workspace / "metrics.json").read_text())
    assert (metrics["seeds"], metrics["accuracy_mean"], metrics["accuracy_mean_sd"]) == (3, 0.8, 0.0)
    assert metrics["loss_mean"] == pytest.approx(table["loss"].mean(), abs=2e-6)
    assert metrics["loss_mean_sd"] == pytest.approx(table["loss"].std(), abs=2e-6)


def test_the_layers_are_written_for_programs_and_for_people(workspace: Path) -> None:
    evaluate.main("mnist-mlp")
    assert (workspace / "summary.csv").read_text() == (
        "layer,name,kind,output,weights,biases,multiply_adds,W,b,z\n1,output,Linear,2,32,2,32,2 x 16,2 x 1,2 x 1\n"
    )
    text = (workspace / "summary.txt").read_text()
    assert text.startswith("mnist-mlp\n\nL  name    kind    output  weights  biases  multiply-adds\n")
    assert "parameters  34: 32 weights and 2 biases; 34 are trained\n" in text
    assert "\n1  output  2 x 16  2 x 1       2 x m\n" in text


def test_the_layers_are_logged_with_the_run(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    logged: list[str] = []

    class RecordingRun(Run):
        def log_artifacts(self, *paths: Path, folder: str = "") -> None:
            logged.extend(f"{folder}/{path.name}" for path in paths)

    monkeypatch.setattr(
        "vision_pipeline.tracking.lifecycle.reopen_run", lambda name: nullcontext(RecordingRun(None, None))
    )
    evaluate.main("mnist-mlp")
    assert {"/summary.csv", "/summary.txt", "test/metrics.json"} < set(logged)


def test_the_summary_of_the_data(workspace: Path) -> None:
    evaluate.main("mnist-mlp")
    summary = json.loads((workspace / "data.json").read_text())
    assert summary["rejected"] == 1
    assert summary["rejects"] == [{"file": "Cat/666.jpg", "reason": "not an image"}]
    assert summary["counts"]["test"] == {"dark": 2, "bright": 3}
    assert summary["backbone"] is None


def test_a_second_run_writes_the_same_bytes(workspace: Path) -> None:
    evaluate.main("mnist-mlp")
    first = {path.name: path.read_bytes() for path in workspace.iterdir()}
    evaluate.main("mnist-mlp")
    assert {path.name: path.read_bytes() for path in workspace.iterdir()} == first


def test_a_model_on_features_is_fed_standardised_features_and_shown_the_images(workspace: Path) -> None:
    name = "cats_dogs-densenet121"
    features = np.repeat(PIXELS.astype(np.float16) / 8, 512).reshape(5, 512)
    write_set(Path("data/prepared/cats_dogs"), "images", np.repeat(PIXELS, 32 * 32 * 3).reshape(5, 32, 32, 3))
    write_set(Path("data/features") / name, "features", features)
    write_json(Path("data/features") / name / "backbone.json", {"library": "torchvision", "network": "resnet18"})
    write_model(name, "transfer", [512], mean=16.0, std=16.0)
    report = Path("reports/models") / name
    write_training(report, {"parameters": 7216770, "trainable_parameters": 262914})
    evaluate.main(name)
    metrics = json.loads((report / "metrics.json").read_text())
    assert (metrics["correct"], metrics["parameters"]) == (4, 7216770)
    table = pd.read_csv(report / "predictions.csv")
    assert table["p(bright)"][2] == pytest.approx(1 / (1 + np.exp(-(2.5 - 16) / 16 * 10)), abs=1e-6)
    summary = json.loads((report / "data.json").read_text())
    assert summary["shape"] == [32, 32, 3]
    assert summary["backbone"]["weights"]["status"] == "random"
    layers = pd.read_csv(report / "summary.csv")
    assert layers["name"].iloc[[0, -1]].tolist() == ["backbone.conv1", "head.output"]
    assert layers[["weights", "biases"]].to_numpy().sum() == 11_176_512 + 512 * 2 + 2


def test_a_checkpoint_of_other_data_is_refused(workspace: Path) -> None:
    write_model("mnist-mlp", "mlp", [5, 5, 1], mean=0.5, std=0.5)
    with pytest.raises(UserError, match=r"models/mnist-mlp was trained on other data .* train@mnist-mlp"):
        evaluate.main("mnist-mlp")


def test_features_whose_rows_are_not_the_images_rows_are_refused(workspace: Path) -> None:
    name = "cats_dogs-densenet121"
    write_set(Path("data/prepared/cats_dogs"), "images", make_images(), TARGETS[::-1].copy())
    write_set(Path("data/features") / name, "features", PIXELS.astype(np.float16)[:, None])
    write_model(name, "transfer", [1], mean=0.0, std=1.0)
    with pytest.raises(UserError, match="test rows"):
        evaluate.main(name)


def test_scores_that_are_not_finite_are_refused(workspace: Path) -> None:
    write_model("mnist-mlp", "mlp", [4, 4, 1], mean=0.5, std=0.0)
    with pytest.raises(UserError, match="not finite"):
        evaluate.main("mnist-mlp")


def test_an_empty_test_split_is_refused(workspace: Path) -> None:
    write_set(Path("data/prepared/mnist"), "images", make_images())
    folder = Path("data/prepared/mnist/test")
    np.save(folder / "inputs.npy", np.zeros((0, 4, 4, 1), np.uint8))
    np.save(folder / "targets.npy", np.zeros(0, np.int64))
    with pytest.raises(UserError, match="no test images"):
        evaluate.main("mnist-mlp")
