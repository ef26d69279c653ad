"""Activations of a backbone's inner layers, for style transfer."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.fuse import fuse_conv_bn
from vision_pipeline.runtime.preprocessing import Normalize


@dataclass(frozen=True)
class StyleLayers:
    """The layers of a network that style transfer compares.

    Attributes:
        style: layers of the style and their weights, the shallowest first.
        content: the layer of the content.
        weight: of the style as a whole beside the content; it depends on the scale of the activations.
    """

    style: dict[str, float]
    content: str
    weight: float


# VGG19's layers are those of Gatys et al., arXiv 1508.06576, conv1_1 to conv5_1 and conv4_2, after their ReLU; its
# weights are the deep-learning nanodegree's. Lite0's layers are the stem and the last at each resolution down to an
# eighth; its weight of all style was chosen by eye. `core/limits.py` lists these networks for the schema.
STYLE_LAYERS = {
    "vgg19": StyleLayers(
        {"features.1": 1.0, "features.6": 0.75, "features.11": 0.2, "features.20": 0.2, "features.29": 0.2},
        "features.22",
        1e6,
    ),
    "tf_efficientnet_lite0": StyleLayers(
        {"bn1": 1.0, "blocks.0": 0.75, "blocks.1": 0.2, "blocks.2": 0.2},
        "blocks.2",
        1e-2,
    ),
}


def get_style_layers(network: str) -> StyleLayers:
    """Return the layers of a network of `backbones.*.network`, with or without the name of its weights.

    Raises:
        ConfigError: the network has no entry in `STYLE_LAYERS`.
    """
    name = network.partition(".")[0]
    if name not in STYLE_LAYERS:
        supported = ", ".join(sorted(STYLE_LAYERS))
        raise ConfigError(
            f"style transfer knows no layers of {network}; name a backbone whose network is one of: {supported}"
        )
    return STYLE_LAYERS[name]


class _StopForward(Exception):
    """The signal that the deepest requested layer has been computed."""


class ActivationExtractor:
    """A frozen backbone that is run only as far as the deepest of `layers`."""

    def __init__(
        self, network: nn.Module, backbone_info: dict[str, Any], layers: list[str], device: torch.device
    ) -> None:
        """Copy `network`, fuse its batch norms and register the hooks; the original is not changed.

        Args:
            network: the backbone.
            backbone_info: `mean` and `std` of its inputs.
            layers: names of its modules.
            device: to compute on.
        """
        fused = fuse_conv_bn(network, torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
        self._network = fused.to(device).to(memory_format=torch.channels_last)
        self._normalize = Normalize(backbone_info["mean"], backbone_info["std"]).to(device)
        self._layers, self._activations = layers, dict[str, Tensor]()
        for layer in layers:
            self._network.get_submodule(layer).register_forward_hook(self._make_hook(layer))

    def __call__(self, images: Tensor) -> list[Tensor]:
        """Compute the activations of each layer, float (N, C, H, W), of images (N, 3, H, W) on the scale 0 to 1."""
        self._activations = {}
        with suppress(_StopForward):
            self._network(self._normalize(images))
        return [self._activations[layer] for layer in self._layers]

    def _make_hook(self, layer: str) -> Any:
        def store_activation(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._activations[layer] = output
            if len(self._activations) == len(self._layers):
                raise _StopForward

        return store_activation
