"""Pretrained networks without their classifier: images to a vector of features each."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.models.loading import load_weights
from stages.project.console import Refusal

# mean and std per channel, on the scale 0 to 1, of the inputs that each network was pretrained on
PREPROCESSING: dict[str, tuple[list[float], list[float]]] = {
    "densenet121": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    "efficientnet_lite0": ([127 / 255] * 3, [128 / 255] * 3),  # (pixel - 127) / 128
}
SMALLEST = 32  # pixels of height and width: both networks halve their inputs five times


def backbone(name: str) -> nn.Module:
    """The network called `name` with random weights, drawn from torch's global generator.

    densenet121 gives 1024 features, efficientnet_lite0 1280.

    Returns:
        Takes float (N, 3, H, W) normalised by `PREPROCESSING[name]`, H and W at least `SMALLEST`; gives the
        pooled features (N, D).

    Raises:
        Refusal: there is no such backbone.
    """
    if name not in _BUILDERS:
        raise Refusal(f"backbone is {name!r}; allowed: {', '.join(_BUILDERS)}")
    return _BUILDERS[name]()


def load_backbone(name: str, path: Path) -> nn.Module:
    """The backbone called `name` with the weights of a safetensors file, frozen, in evaluation mode.

    Raises:
        Refusal: the file is missing or damaged, or holds the weights of another network.
    """
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        network = backbone(name)
    try:
        load_weights(network, load_file(path))
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    except Refusal as refusal:
        raise Refusal(f"{path} does not fit {name}: {refusal}") from refusal
    return network.requires_grad_(False).eval()


def feature_size(network: nn.Module) -> int:
    """How many features a backbone gives, found by asking it."""
    with torch.inference_mode():
        return int(network(torch.zeros(1, 3, SMALLEST, SMALLEST)).shape[1])


def describe_backbone(name: str, network: nn.Module, weights: dict[str, Any]) -> dict[str, Any]:
    """What `backbone.json` holds: `name`, provenance of the `weights`, `parameters`, `mean` and `std` of its inputs."""
    mean, std = PREPROCESSING[name]
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return {"name": name, "weights": weights, "parameters": parameters, "mean": mean, "std": std}


class _DenseNet121(nn.Module):
    """Source: Huang et al., Densely Connected Convolutional Networks, arXiv 1608.06993."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import densenet121

        self.features = densenet121(weights=None).features

    def forward(self, images: Tensor) -> Tensor:
        maps = torch.relu(self.features(images))
        return maps.mean((2, 3))


def _efficientnet_lite0() -> nn.Module:
    """Source: Tan and Le, EfficientNet, arXiv 1905.11946; Lite: no squeeze-and-excitation, ReLU6."""
    import timm

    network: nn.Module = timm.create_model("tf_efficientnet_lite0", pretrained=False, num_classes=0)
    return network


_BUILDERS: dict[str, Callable[[], nn.Module]] = {
    "densenet121": _DenseNet121,
    "efficientnet_lite0": _efficientnet_lite0,
}
