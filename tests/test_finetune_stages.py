"""A fine-tuned model through the stages: weights, train, evaluate, export, and `vision predict`."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import typer
from ruamel.yaml import YAML
from safetensors.torch import load_file
from typer.testing import CliRunner

from stages import evaluate, export, train, weights
from vision_pipeline.cli.predict.command import predict
from vision_pipeline.core.files import read_json
from vision_pipeline.data.format import SPLITS, create_memmap, write_info, write_targets
from vision_pipeline.models.checkpoint import load_checkpoint

MODEL = {
    "architecture": "finetune", "dataset": "cats_dogs", "inputs": "prepared/cats_dogs", "fraction": 1.0,
    "augmentation": "none", "synthetic": "none", "weights": "efficientnet_lite0", "normalize": "backbone",
    "unfreeze": "blocks.6", "seeds": [],
}  # fmt: skip
ROWS = {"train": 24, "val": 8, "test": 8}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the model was trained, tested and exported."""
    root: Path = tmp_path_factory.mktemp("finetune")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("TRACKING", "off")
        patch.delenv("DATA_MIRROR", raising=False)
        _write_params()
        _write_images(Path("data/prepared/cats_dogs"))
        weights.main("efficientnet_lite0")
        for stage in (train, evaluate, export):
            stage.main("tuned")
    return root


def _write_params() -> None:
    repository = Path(__file__).resolve().parents[1]
    params = YAML(typ="safe", pure=True).load(repository / "params.yaml")
    params.update(device="cpu", precision="fp32", threads=1)
    loop = params["models"]["cats_dogs-densenet121"]["train"]
    params["models"]["tuned"] = MODEL | {"train": {**loop, "epochs": 2, "batch_size": 8}}
    YAML().dump(params, Path("params.yaml"))
    for nothing in ("augmented/none/policy.json", "synthetic/none/images/about.json", "weights/none/backbone.json"):
        file = Path("data", nothing)
        file.parent.mkdir(parents=True)
        file.write_bytes((repository / file).read_bytes())


def _write_images(folder: Path) -> None:
    """Write dark and light images of 32 x 32 pixels."""
    random = np.random.default_rng(0)
    for split in SPLITS:
        targets = np.arange(ROWS[split]) % 2
        pixels = random.integers(0, 100, (ROWS[split], 32, 32, 3)) + 100 * targets[:, None, None, None]
        create_memmap(folder, split, num_rows=ROWS[split], shape=[32, 32, 3], kind="images")[:] = pixels
        write_targets(folder, split, targets)
        rows = "".join(f"{row:064x},{row}.jpg\n" for row in range(ROWS[split]))
        (folder / split / "rows.csv").write_text("hash,name\n" + rows)
    (folder / "rejects.csv").write_text("file,reason\n")
    provenance = {"name": "cats_dogs", "status": "stand-in", "digest": "0" * 64, "licence": "none", "note": ""}
    write_info(folder, "images", ["cat", "dog"], mean=[0.5] * 3, std=[0.3] * 3, provenance=provenance)


def test_the_frozen_layers_are_the_pretrained_ones(project: Path) -> None:
    trained = load_checkpoint(project / "models/tuned/checkpoint.pth").state_dict
    pretrained = load_file(project / "data/weights/efficientnet_lite0/weights.safetensors")
    changed = {name for name, tensor in pretrained.items() if not torch.equal(trained[f"backbone.{name}"], tensor)}
    assert {name.split(".")[0] + "." + name.split(".")[1] for name in changed} == {
        "blocks.6", "conv_head.weight", "bn2.weight", "bn2.bias", "bn2.running_mean", "bn2.running_var",
        "bn2.num_batches_tracked",
    }  # fmt: skip
    assert all(name in changed for name in pretrained if name.startswith("blocks.6.") and name.endswith("weight"))


def test_the_checkpoint_says_what_it_was_made_of(project: Path) -> None:
    checkpoint = load_checkpoint(project / "models/tuned/checkpoint.pth")
    backbone_info = read_json(project / "data/weights/efficientnet_lite0/backbone.json")
    assert checkpoint.settings == {"unfreeze": "blocks.6", "backbone": backbone_info}
    assert checkpoint.normalize == {"mean": [127 / 255] * 3, "std": [128 / 255] * 3}
    pretrained = checkpoint.provenance["backbone"]
    assert (pretrained["name"], pretrained["weights"]["status"]) == ("efficientnet_lite0", "pretrained")
    assert read_json(project / "reports/models/tuned/data.json")["backbone"] == pretrained
    report = read_json(project / "reports/models/tuned/train.json")
    assert report["parameters"] == 3_371_008 + 1280 * 2 + 2
    assert 1280 * 2 + 2 < report["trainable_parameters"] < report["parameters"]


def test_every_format_agrees(project: Path) -> None:
    parity = json.loads((project / "exports/tuned/parity.json").read_text())
    assert list(parity["formats"]) == ["checkpoint.pth", "model.safetensors", "model.onnx", "model.pt2"]
    assert "a fine-tuned efficientnet_lite0" in (project / "exports/tuned/card.md").read_text()


def test_other_weights_are_another_training(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key of a training includes the weights that it starts from."""
    monkeypatch.chdir(project)
    monkeypatch.setenv("TRACKING", "off")
    before = read_json(Path("models/tuned/training.json"))["key"]
    provenance = Path("data/weights/efficientnet_lite0/provenance.json")
    content = provenance.read_text()
    provenance.write_text(content.replace("package", "mirror"))
    train.main("tuned")
    provenance.write_text(content)
    assert read_json(Path("models/tuned/training.json"))["key"] != before


def test_it_predicts(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    app = typer.Typer()
    app.command()(predict)
    result = CliRunner().invoke(app, ["tuned", "--random", "4", "--seed", "1", "--json", "-"])
    assert result.exit_code == 0, result.exception
    assert len(json.loads(result.stdout)["images"]) == 4
