"""Entries of weights from torchvision, timm and the catalogue."""

import pytest
from torchvision.models import get_model_weights, list_models

from vision_pipeline.models.backbones import list_networks
from vision_pipeline.sources.catalog import WeightsEntry
from vision_pipeline.sources.pretrained_weights import lookup_weights


def test_torchvision() -> None:
    entry = lookup_weights("torchvision", "regnet_y_1_6gf.IMAGENET1K_V1")
    assert (entry.file, entry.sha256) == ("regnet_y_1_6gf-b11a554e.pth", "b11a554e")
    assert entry.url == "https://download.pytorch.org/models/regnet_y_1_6gf-b11a554e.pth"
    assert (entry.mean, entry.std) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert lookup_weights("torchvision", "regnet_y_1_6gf").file != entry.file  # the default ones are newer


def test_timm() -> None:
    assert lookup_weights("timm", "vit_base_patch16_clip_224.openai") == WeightsEntry(
        licence="apache-2.0 (timm)",
        file="vit_base_patch16_clip_224.openai.safetensors",
        sha256=None,
        limit=4 << 30,
        mean=[0.48145466, 0.4578275, 0.40821073],
        std=[0.26862954, 0.26130258, 0.27577711],
        url="https://huggingface.co/timm/vit_base_patch16_clip_224.openai/resolve/main/model.safetensors",
    )


@pytest.mark.parametrize(
    ("library", "network", "file"),
    [
        ("torchvision", "densenet121", "densenet121-a639ec97.pth"),
        ("timm", "tf_efficientnet_lite0", "efficientnet-lite0-57934424.pth"),
    ],
)
def test_the_catalogue_comes_first(library: str, network: str, file: str) -> None:
    entry = lookup_weights(library, network)
    assert entry.file == file
    assert entry.limit == 64_000_000


def test_every_file_of_torchvision_has_its_checksum_in_its_name() -> None:
    for name in list_models(module=__import__("torchvision").models):
        for weights in get_model_weights(name):
            assert lookup_weights("torchvision", f"{name}.{weights.name}").sha256 in weights.url


def test_every_network_of_timm_has_an_entry() -> None:
    entries = [lookup_weights("timm", network) for network in list_networks("timm")[::17]]
    assert all(entry.std[0] > 0 for entry in entries)
