"""The stage that obtains a backbone's weights."""

import json
from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML
from safetensors.torch import load_file
from torchvision.models import resnet18

from stages import weights
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import sha256_file
from vision_pipeline.models.backbones import load_backbone
from vision_pipeline.sources.pretrained_weights import lookup_weights

FILES = ["backbone.json", "provenance.json", "published.json", "weights.safetensors"]


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder; no mirror, and random weights asked for DenseNet121."""
    params = YAML(typ="safe", pure=True).load(repository / "params.yaml")
    params["backbones"]["densenet121"]["source"] = "random"
    params["backbones"]["small"] = {"library": "torchvision", "network": "resnet18", "source": "mirror"}
    params["backbones"]["wrong"] = {"library": "torchvision", "network": "resnet81", "source": "auto"}
    YAML().dump(params, tmp_path / "params.yaml")
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
    provenance = json.loads(first[1])
    assert (provenance["status"], provenance["source"]) == ("random", "random")
    assert sorted(path.name for path in folder.iterdir()) == FILES
    load_backbone("torchvision", "densenet121", folder / "weights.safetensors")


def test_the_packages_weights_are_converted(workspace: Path) -> None:
    weights.main("efficientnet_lite0")
    folder = workspace / "data" / "weights" / "efficientnet_lite0"
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert json.loads((folder / "provenance.json").read_text())["status"] == "pretrained"
    assert len(load_file(folder / "weights.safetensors")) == 294
    load_backbone("timm", "tf_efficientnet_lite0", folder / "weights.safetensors")


def test_any_network_of_a_library_from_the_mirror(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file has the name under which the library publishes it."""
    (workspace / "mirror/weights").mkdir(parents=True)
    monkeypatch.setenv("DATA_MIRROR", "mirror")
    torch.manual_seed(5)
    network = resnet18()
    file = workspace / "mirror/weights/resnet18-f37072fd.pth"
    torch.save(network.state_dict(), file)
    with pytest.raises(UserError, match=r"has the SHA-256 .*, expected f37072fd"):
        weights.main("small")
    # no file of another content has that checksum: here it is whatever the file has
    entry = lookup_weights("torchvision", "resnet18").model_copy(update={"sha256": sha256_file(file)})
    monkeypatch.setattr(weights, "lookup_weights", lambda library, name: entry)
    weights.main("small")
    folder = workspace / "data/weights/small"
    weights_file = load_file(folder / "weights.safetensors")
    assert network.state_dict().keys() - weights_file.keys() == {"fc.weight", "fc.bias"}
    assert torch.equal(weights_file["layer4.1.bn2.weight"], network.layer4[1].bn2.weight)
    assert json.loads((folder / "backbone.json").read_text()) == {
        "name": "small",
        "library": "torchvision",
        "network": "resnet18",
        "parameters": 11_176_512,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }
    assert json.loads((folder / "published.json").read_text()) == entry.model_dump()


def test_a_network_that_the_library_lacks_is_refused(workspace: Path) -> None:
    with pytest.raises(UserError, match="'resnet81', which torchvision does not have; did you mean 'resnet18'"):
        weights.main("wrong")
    assert not (workspace / "data").exists()


def test_an_unknown_backbone_names_the_key(workspace: Path) -> None:
    with pytest.raises(UserError, match=r"backbones\.densenet12.*did you mean 'densenet121'"):
        weights.main("densenet12")
    assert not (workspace / "data").exists()
