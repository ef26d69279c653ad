"""A backbone's activations on the way: what its layers make of images, for style transfer."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from stages.compute.pixels import Normalize
from stages.models.folding import folded
from stages.project.console import Refusal


@dataclass(frozen=True)
class StyleLayers:
    """Which of a network's layers show what.

    Attributes:
        style: layers and their weights, from the shallowest on.
        content: a layer.
        weight: of all style beside the content, by the scale of the activations.
    """

    style: dict[str, float]
    content: str
    weight: float


# VGG19's layers are those of Gatys et al., arXiv 1508.06576, conv1_1 to conv5_1 and conv4_2, after their ReLU; its
# weights are the deep-learning nanodegree's. Lite0's layers are the stem and the last at each resolution down to an
# eighth; its weight of all style was chosen by eye.
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


def style_layers(network: str) -> StyleLayers:
    """The layers of a network of `backbones.*.network`.

    Raises:
        Refusal: they are not known.
    """
    name = network.partition(".")[0]
    if name not in STYLE_LAYERS:
        known = ", ".join(sorted(STYLE_LAYERS))
        raise Refusal(f"style transfer knows no layers of {network}; name a backbone whose network is one of: {known}")
    return STYLE_LAYERS[name]


class _Done(Exception):
    """The deepest layer that is wanted has been computed."""


class Taps:
    """A frozen backbone, run only as far as the deepest of `layers`."""

    def __init__(self, network: nn.Module, about: dict[str, Any], layers: list[str], device: torch.device) -> None:
        """Make `network` ready; itself it stays as it is.

        Args:
            network: the backbone.
            about: `mean` and `std` of its inputs.
            layers: names of its modules.
            device: to compute on.
        """
        fast = folded(network, torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
        self._network = fast.to(device).to(memory_format=torch.channels_last)
        self._scale = Normalize(about["mean"], about["std"]).to(device)
        self._layers, self._found = layers, dict[str, Tensor]()
        for layer in layers:
            self._network.get_submodule(layer).register_forward_hook(self._noting(layer))

    def __call__(self, unit: Tensor) -> list[Tensor]:
        """Activations of each layer, float (N, C, H, W), of images (N, 3, H, W) on the scale 0 to 1."""
        self._found = {}
        with suppress(_Done):
            self._network(self._scale(unit))
        return [self._found[layer] for layer in self._layers]

    def _noting(self, layer: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._found[layer] = output
            if len(self._found) == len(self._layers):
                raise _Done

        return note
