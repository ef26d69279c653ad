"""Networks of torchvision and timm without their classifier: images to a vector of features each."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from vision_pipeline.core.errors import ArtifactError, ConfigError
from vision_pipeline.core.logging import logger
from vision_pipeline.models.loading import load_weights

# The published weights of the first two expect inputs that are scaled again inside the network; the other two have no
# linear classifier.
_UNSUPPORTED = ("googlenet", "inception_v3", "squeezenet1_0", "squeezenet1_1")


def create_backbone(library: str, network: str) -> nn.Module:
    """Return a network up to its last linear layer, with random weights from torch's global generator.

    Args:
        library: "torchvision" or "timm".
        network: its name in the library, or `name.weights` as both libraries call their published weights.

    Returns:
        A module that takes normalised float (N, 3, H, W), RGB, and returns pooled features (N, D).

    Raises:
        ConfigError: the library has no such network.
    """
    if network not in (available := list_networks(library)):
        closest = get_close_matches(network, available, n=1)
        hint = f"did you mean {closest[0]!r}?" if closest else f"see the models for image classification of {library}"
        raise ConfigError(f"backbones.*.network is {network!r}, which {library} does not have; {hint}")
    logger.debug(f"backbone {network} of {library} is created")
    # on the CPU also where only shapes are needed: RegNet reads numbers from tensors while it is built
    with torch.device("cpu"):
        return (
            remove_classifier(create_network(library, network))
            if library == "torchvision"
            else _create_timm_network(network, num_classes=0)
        )


def list_networks(library: str) -> list[str]:
    """Return the names that `create_backbone` accepts: each network, and `name.weights` of its published weights.

    Raises:
        ConfigError: there is no such library.
    """
    if library == "torchvision":
        from torchvision import models

        names = [name for name in models.list_models(module=models) if name not in _UNSUPPORTED]
        return names + [f"{name}.{weights.name}" for name in names for weights in models.get_model_weights(name)]
    if library == "timm":
        import timm

        return [*timm.list_models(), *timm.list_pretrained()]
    raise ConfigError(f"backbones.*.library is {library!r}; allowed: torchvision, timm")


def create_network(library: str, network: str) -> nn.Module:
    """Return the network as its library builds it, with its classifier and random weights."""
    if library == "timm":
        return _create_timm_network(network)
    from torchvision.models import get_model

    model: nn.Module = get_model(network.partition(".")[0], weights=None)
    return model


def _create_timm_network(network: str, **kwargs: Any) -> nn.Module:
    import timm

    model: nn.Module = timm.create_model(network, pretrained=False, **kwargs)
    return model


def remove_classifier(network: nn.Module) -> nn.Module:
    """Replace the last linear layer by the identity, in place, and return the network."""
    *_, classifier_name = (name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    network.set_submodule(classifier_name, nn.Identity())
    return network


def load_backbone(library: str, network: str, path: Path) -> nn.Module:
    """Return the backbone with the weights of a safetensors file, frozen, in evaluation mode.

    Raises:
        ConfigError: the library has no such network.
        ArtifactError: the file is missing or damaged, or holds the weights of another network.
    """
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        model = create_backbone(library, network)
    try:
        load_weights(model, load_file(path))
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted"
        ) from error
    except ArtifactError as error:
        raise ArtifactError(f"{path} does not fit {network}: {error}") from error
    logger.debug(f"weights of {network} are read from {path}")
    return model.requires_grad_(False).eval()


def infer_feature_size(network: nn.Module, height: int, width: int) -> int:
    """Return the number of features that a backbone computes, by a forward pass of one image of that size.

    Raises:
        ConfigError: the backbone cannot take such images, or its output is not a vector.
    """
    try:
        with torch.inference_mode():
            features = network.eval()(torch.zeros(1, 3, height, width, device="cpu"))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise ConfigError(
            f"a backbone cannot take {height}x{width} pixels ({error}); set datasets.*.prepare.size to what it needs"
        ) from error
    if features.ndim != 2:
        raise ConfigError(f"the backbone gives {list(features.shape)} of an image, not a vector; use another network")
    return int(features.shape[1])


def make_backbone_info(
    name: str, library: str, network: str, *, model: nn.Module, mean: list[float], std: list[float]
) -> dict[str, Any]:
    """Return the content of `backbone.json`.

    Args:
        name: of the backbone in params.yaml.
        library, network: as `create_backbone` takes them.
        model: the backbone, whose parameters are counted.
        mean, std: of its inputs by channel, on the scale 0 to 1.
    """
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    backbone_info = {"name": name, "library": library, "network": network}
    return {**backbone_info, "parameters": num_parameters, "mean": mean, "std": std}
