"""The stage that obtains a backbone's weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from stages import weights
from stages.models.backbones import load_backbone
from stages.project.console import Refusal


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; no mirror, and random weights asked for DenseNet121."""
    params = (repository / "params.yaml").read_text()
    asked = "  densenet121:\n    source: auto "
    assert asked in params
    (tmp_path / "params.yaml").write_text(params.replace(asked, "  densenet121:\n    source: random "))
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_random_weights_say_so_and_are_the_same_every_time(workspace: Path) -> None:
    folder = workspace / "data" / "weights" / "densenet121"
    weights.main("densenet121")
    first = (folder / "weights.safetensors").read_bytes(), (folder / "provenance.json").read_bytes()
    torch.rand(3)
    weights.main("densenet121")
    assert first == ((folder / "weights.safetensors").read_bytes(), (folder / "provenance.json").read_bytes())
    about = json.loads(first[1])
    assert (about["status"], about["source"]) == ("random", "random")
    assert sorted(path.name for path in folder.iterdir()) == ["provenance.json", "weights.safetensors"]
    load_backbone("densenet121", folder / "weights.safetensors")


def test_the_packages_weights_are_converted(workspace: Path) -> None:
    weights.main("efficientnet_lite0")
    folder = workspace / "data" / "weights" / "efficientnet_lite0"
    assert sorted(path.name for path in folder.iterdir()) == ["provenance.json", "weights.safetensors"]
    assert json.loads((folder / "provenance.json").read_text())["status"] == "pretrained"
    assert len(load_file(folder / "weights.safetensors")) == 294
    load_backbone("efficientnet_lite0", folder / "weights.safetensors")


def test_an_unknown_backbone_names_the_key(workspace: Path) -> None:
    with pytest.raises(Refusal, match=r"backbones\.densenet12.*did you mean 'densenet121'"):
        weights.main("densenet12")
    assert not (workspace / "data").exists()
