"""Pretrained networks: sizes, names, and weights on disk."""

import re
from pathlib import Path

import pytest
import torch
from backbone_specs import DENSENET, SIZES, Spec
from safetensors.torch import save_file
from torch import nn

from vision_pipeline.core.errors import ArtifactError, ConfigError
from vision_pipeline.models.backbones import (
    create_backbone,
    create_network,
    infer_feature_size,
    list_networks,
    load_backbone,
    make_backbone_info,
)
from vision_pipeline.models.build import count_parameters


def test_parameters_and_features(spec: Spec, trained_backbone: nn.Module) -> None:
    parameters, features = SIZES[spec]
    assert count_parameters(trained_backbone)[0] == parameters
    assert trained_backbone(torch.zeros(2, 3, 32, 32)).shape == (2, features)
    assert infer_feature_size(trained_backbone, 32, 32) == features


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
    full, backbone = create_network(library, network).eval(), create_backbone(library, network).eval()
    assert infer_feature_size(backbone, 224, 224) == features
    classifier = {name: tensor for name, tensor in full.state_dict().items() if name not in backbone.state_dict()}
    assert [list(tensor.shape) for tensor in classifier.values()] == [[1000, features], [1000]]
    backbone.load_state_dict({name: full.state_dict()[name] for name in backbone.state_dict()})
    images = torch.randn(2, 3, 224, 224)
    with torch.inference_mode():
        logits = nn.functional.linear(backbone(images), *classifier.values())
        torch.testing.assert_close(logits, full(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("library", "network", "message"),
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
def test_an_unknown_network_is_refused(library: str, network: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        create_backbone(library, network)


def test_both_libraries_name_networks_and_their_weights() -> None:
    assert {"resnet50", "resnet50.IMAGENET1K_V2", "vit_b_16.IMAGENET1K_SWAG_E2E_V1"} < set(list_networks("torchvision"))
    assert {"resnet50", "resnet50.a1_in1k", "tf_efficientnet_lite0"} < set(list_networks("timm"))


def test_images_that_a_network_cannot_take_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cannot take 64x64 pixels \(.*224.*\); set datasets\.\*\.prepare\.size"):
        infer_feature_size(create_backbone("timm", "vit_tiny_patch16_224"), 64, 64)
    with pytest.raises(ConfigError, match=r"gives \[1, 3, 8, 8\] of an image, not a vector"):
        infer_feature_size(nn.Identity(), 8, 8)


def test_what_backbone_json_says() -> None:
    info = make_backbone_info("mine", *DENSENET, model=nn.Linear(3, 4), mean=[0.4] * 3, std=[0.2] * 3)
    spec = {"name": "mine", "library": "torchvision", "network": "densenet121"}
    assert info == spec | {"parameters": 16, "mean": [0.4] * 3, "std": [0.2] * 3}


def test_weights_are_loaded_frozen_and_exact(tmp_path: Path, spec: Spec, trained_backbone: nn.Module) -> None:
    save_file(trained_backbone.state_dict(), tmp_path / "weights.safetensors")
    network = load_backbone(*spec, tmp_path / "weights.safetensors")
    assert count_parameters(network) == (SIZES[spec][0], 0)
    assert not any(module.training for module in network.modules())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(network(images), trained_backbone(images))


def test_weights_that_do_not_fit_are_refused(tmp_path: Path, spec: Spec) -> None:
    path = tmp_path / "weights.safetensors"
    with pytest.raises(ArtifactError, match=r"weights\.safetensors cannot be read"):
        load_backbone(*spec, path)
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(ArtifactError, match=r"weights\.safetensors cannot be read"):
        load_backbone(*spec, path)
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(ArtifactError, match=rf"weights\.safetensors does not fit {spec[1]}: .*missing"):
        load_backbone(*spec, path)
