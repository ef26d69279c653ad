"""The export stage over tiny models: its outs, the joined transfer model, and what it refuses."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from tiny_model import images, tiny_checkpoint, write_set
from torch import nn

from stages.export import main
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json, write_json
from vision_pipeline.models.build import build_model
from vision_pipeline.models.checkpoint import build_pixel_model, load_checkpoint, save_checkpoint

FILES = ["card.md", "checkpoint.pth", "model.onnx", "model.pt2", "model.safetensors", "parity.json"]
METRICS = {"accuracy": 0.5, "accuracy_low": 0.4, "accuracy_high": 0.6, "loss": 0.7, "ece": 0.1, "macro_f1": 0.5}


@pytest.fixture
def place(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and the trained model `mnist-mlp`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKING", "off")
    text = (repository / "params.yaml").read_text()
    (tmp_path / "params.yaml").write_text(text.replace("\nthreads: 0", "\nthreads: 1").replace(": auto ", ": cpu  ", 1))
    write_set(Path("data/prepared/mnist"))
    trained("mnist-mlp")
    return tmp_path


def trained(name: str, **changes: Any) -> None:
    save_checkpoint(Path(f"models/{name}/checkpoint.pth"), replace(tiny_checkpoint(), name=name, **changes))
    write_json(Path(f"reports/models/{name}/metrics.json"), METRICS | {"images": 40, "parameters": 9})


def contents(folder: str) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def test_all_files_are_written_and_again_with_the_same_bytes(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main("mnist-mlp")
    first = contents("exports/mnist-mlp")
    assert list(first) == FILES
    found = read_json(Path("exports/mnist-mlp/parity.json"))
    assert list(found["formats"]) == ["checkpoint.pth", "model.safetensors", "model.onnx", "model.pt2"]
    assert found["images"] == 40
    assert found["formats"]["checkpoint.pth"]["max_logit_gap"] == 0
    assert found["formats"]["model.safetensors"]["max_logit_gap"] == 0
    assert "mnist-mlp: 4 formats agree on 40 test images" in capsys.readouterr().out
    main("mnist-mlp")
    assert contents("exports/mnist-mlp") == first


def test_the_checkpoint_rebuilds_the_model_elsewhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    main("mnist-mlp")
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    checkpoint = load_checkpoint(place / "exports/mnist-mlp/checkpoint.pth")
    pixels = torch.from_numpy(images(9)[0])
    assert torch.equal(build_pixel_model(checkpoint)(pixels), build_pixel_model(tiny_checkpoint())(pixels))
    assert checkpoint.metrics["accuracy"] == 0.5


class Backbone(nn.Module):
    """Mean colours and a convolution with batch norm, in the place of a large network."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU())

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.features(pixels).mean((2, 3))


def test_a_transfer_model_is_joined_with_its_backbone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vision_pipeline.models.transfer.create_backbone", lambda library, network: Backbone())
    name, features = "cats_dogs-densenet121", Path("data/features/cats_dogs-densenet121")
    write_set(Path("data/prepared/cats_dogs"), channels=3)
    torch.manual_seed(1)
    body = Backbone().eval()
    features.mkdir(parents=True)
    save_file(body.state_dict(), features / "backbone.safetensors")
    weights = {"name": "densenet121", "status": "random", "source": "random", "licence": "none"}
    scaling = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25]}
    known = {"name": "mine", "library": "torchvision", "network": "densenet121", "weights": weights}
    write_json(features / "backbone.json", known | scaling)
    settings, scale = {"hidden": [3], "activation": "relu", "dropout": 0.2}, {"mean": [0.1] * 4, "std": [0.5] * 4}
    head = build_model("transfer", settings, [4], 2).eval()
    kind: dict[str, Any] = {"architecture": "transfer", "settings": settings, "input_shape": [4], "normalize": scale}
    trained(name, **kind, state_dict=head.state_dict())

    main(name)

    joined = load_checkpoint(Path(f"exports/{name}/checkpoint.pth"))
    assert joined.input_shape == [8, 8, 3]
    assert joined.backbone == known | scale
    pixels = torch.from_numpy(images(6, 3)[0])
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in scaling.values())
    with torch.inference_mode():
        expected = head((body((pixels.permute(0, 3, 1, 2) / 255 - mean) / std) - 0.1) / 0.5)
        torch.testing.assert_close(build_pixel_model(joined)(pixels), expected, rtol=0, atol=1e-6)
    assert "with **random weights**" in Path(f"exports/{name}/card.md").read_text()


@pytest.mark.parametrize("damage", [lambda raw: raw[:-400], lambda raw: raw.replace(b"\x3f", b"\x3e")])
def test_a_damaged_checkpoint_leaves_the_last_export_alone(place: Path, damage: Callable[[bytes], bytes]) -> None:
    Path("exports/mnist-mlp").mkdir(parents=True)
    Path("exports/mnist-mlp/card.md").write_text("the last one")
    checkpoint = Path("models/mnist-mlp/checkpoint.pth")
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(UserError, match=r"models/mnist-mlp/checkpoint\.pth is damaged"):
        main("mnist-mlp")
    assert contents("exports/mnist-mlp") == {"card.md": b"the last one"}


def test_a_format_that_says_something_else_fails_the_stage(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(path: Path, threads: int) -> nn.Module:
        return build_pixel_model(tiny_checkpoint(seed=1))

    monkeypatch.setattr("stages.export.read_onnx", wrong)
    with pytest.raises(UserError, match=r"^model\.onnx: a logit of test image \d+ is "):
        main("mnist-mlp")
    assert not Path("exports/mnist-mlp").exists()


def test_missing_metrics_name_the_file(place: Path) -> None:
    shutil.rmtree("reports")
    with pytest.raises(UserError, match=r"reports/models/mnist-mlp/metrics\.json is missing"):
        main("mnist-mlp")
