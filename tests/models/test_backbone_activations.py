"""A backbone's activations: of the named layers, and no further."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.vgg import cfgs, make_layers

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.limits import STYLE_BACKBONES
from vision_pipeline.models.activations import STYLE_LAYERS, ActivationExtractor, get_style_layers
from vision_pipeline.models.backbones import create_backbone

_PLAIN = {"mean": [0.0] * 3, "std": [1.0] * 3}


class _Vgg(nn.Module):
    """VGG19 without its fully connected layers, which hold 9 of 10 weights."""

    def __init__(self) -> None:
        super().__init__()
        self.features = make_layers(cfgs["E"])

    def forward(self, images: Tensor) -> Tensor:
        return self.features(images).flatten(1)


def _network(name: str) -> nn.Module:
    torch.manual_seed(0)
    network = _Vgg() if name == "vgg19" else create_backbone("timm", name)
    return network.requires_grad_(False).eval()


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("vgg19", [(64, 64), (128, 32), (256, 16), (512, 8), (512, 4), (512, 8)]),
        ("tf_efficientnet_lite0", [(32, 32), (16, 32), (24, 16), (40, 8), (40, 8)]),
    ],
)
def test_style_layers_have_the_channels_and_sizes_that_they_should(name: str, shapes: list[tuple[int, int]]) -> None:
    style_layers, network = get_style_layers(name), _network(name)
    layers, images = [*style_layers.style, style_layers.content], torch.rand(2, 3, 64, 64)
    unique = list(dict.fromkeys(layers))
    activations = dict(zip(unique, ActivationExtractor(network, _PLAIN, unique, images.device)(images), strict=True))
    assert [tuple(activations[layer].shape) for layer in layers] == [
        (2, channels, side, side) for channels, side in shapes
    ]
    if name == "vgg19":
        assert all(isinstance(network.get_submodule(layer), nn.ReLU) for layer in layers)


def test_activations_are_those_of_the_whole_network_on_normalised_images() -> None:
    network, images = _network("vgg19"), torch.rand(1, 3, 32, 32)
    info = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    (activations,) = ActivationExtractor(network, info, ["features.3"], images.device)(images)
    scaled = (images - torch.tensor(info["mean"])[:, None, None]) / torch.tensor(info["std"])[:, None, None]
    torch.testing.assert_close(activations, network.features[:4](scaled))


def test_what_is_deeper_is_not_run_and_the_network_given_stays_as_it_is() -> None:
    ran: list[str] = []

    def record(name: str) -> Any:
        return lambda module, inputs: ran.append(name)

    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 5, 1))
    network[1].register_forward_pre_hook(record("shallow"))
    network[2].register_forward_pre_hook(record("deep"))
    extractor = ActivationExtractor(network, _PLAIN, ["1"], torch.device("cpu"))
    ran.clear()  # the forward passes that compare the fused network
    extractor(torch.rand(1, 3, 8, 8))
    assert ran == ["shallow"]
    assert network(torch.rand(1, 3, 8, 8)).shape == (1, 5, 8, 8)


def test_gradients_reach_the_pixels() -> None:
    images = torch.rand(1, 3, 64, 64, requires_grad=True)
    network = _network("tf_efficientnet_lite0")
    extractor = ActivationExtractor(
        network, _PLAIN, list(STYLE_LAYERS["tf_efficientnet_lite0"].style), torch.device("cpu")
    )
    sum(layer.square().mean() for layer in extractor(images)).backward()
    assert images.grad is not None and images.grad.abs().sum() > 0


def test_the_schema_names_the_same_networks() -> None:
    assert set(STYLE_BACKBONES) == set(STYLE_LAYERS)


def test_a_network_whose_layers_are_not_known_is_refused() -> None:
    assert get_style_layers("vgg19.IMAGENET1K_V1") == STYLE_LAYERS["vgg19"]
    with pytest.raises(ConfigError, match=r"knows no layers of resnet50; .* tf_efficientnet_lite0, vgg19"):
        get_style_layers("resnet50")
