"""Networks of torchvision and timm without their classifier: images to a vector of features each."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from vision_pipeline.core.errors import UserError
from vision_pipeline.models.loading import load_weights

# torchvision's published weights of the first two want pixels scaled again inside; the others have no linear classifier
_UNSUPPORTED = ("googlenet", "inception_v3", "squeezenet1_0", "squeezenet1_1")


def create_backbone(library: str, network: str) -> nn.Module:
    """A library's network up to its last linear layer, with random weights from torch's global generator.

    Args:
        library: "torchvision" or "timm".
        network: its name there, or `name.weights` as both libraries call their published weights.

    Returns:
        Takes normalised float (N, 3, H, W), RGB; gives pooled features (N, D).

    Raises:
        UserError: the library has no such network.
    """
    if network not in (available := list_networks(library)):
        closest = get_close_matches(network, available, n=1)
        hint = f"did you mean {closest[0]!r}?" if closest else f"see the models for image classification of {library}"
        raise UserError(f"backbones.*.network is {network!r}, which {library} does not have; {hint}")
    with torch.device("cpu"):  # also for a look at shapes alone: RegNet reads numbers from tensors while it is built
        return (
            remove_classifier(create_network(library, network))
            if library == "torchvision"
            else _create_timm_network(network, num_classes=0)
        )


def list_networks(library: str) -> list[str]:
    """What `backbone` may be asked for: every network's name, and `name.weights` of its published weights.

    Raises:
        UserError: there is no such library.
    """
    if library == "torchvision":
        from torchvision import models

        names = [name for name in models.list_models(module=models) if name not in _UNSUPPORTED]
        return names + [f"{name}.{weights.name}" for name in names for weights in models.get_model_weights(name)]
    if library == "timm":
        import timm

        return [*timm.list_models(), *timm.list_pretrained()]
    raise UserError(f"backbones.*.library is {library!r}; allowed: torchvision, timm")


def create_network(library: str, network: str) -> nn.Module:
    """The network as its library makes it, with its classifier and random weights."""
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
    """`network`, its last linear layer replaced by the identity."""
    *_, classifier_name = (name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    network.set_submodule(classifier_name, nn.Identity())
    return network


def load_backbone(library: str, network: str, path: Path) -> nn.Module:
    """The backbone with the weights of a safetensors file, frozen, in evaluation mode.

    Raises:
        UserError: the file is missing or damaged, or holds the weights of another network.
    """
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        model = create_backbone(library, network)
    try:
        load_weights(model, load_file(path))
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    except UserError as user_error:
        raise UserError(f"{path} does not fit {network}: {user_error}") from user_error
    return model.requires_grad_(False).eval()


def infer_feature_size(network: nn.Module, height: int, width: int) -> int:
    """How many features a backbone gives of images of a size, found by asking it.

    Raises:
        UserError: it cannot take such images, or gives no vectors.
    """
    try:
        with torch.inference_mode():
            features = network.eval()(torch.zeros(1, 3, height, width, device="cpu"))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise UserError(
            f"a backbone cannot take {height}x{width} pixels ({error}); set datasets.*.prepare.size to what it needs"
        ) from error
    if features.ndim != 2:
        raise UserError(f"the backbone gives {list(features.shape)} of an image, not a vector; use another network")
    return int(features.shape[1])


def make_backbone_info(
    name: str, library: str, network: str, model: nn.Module, mean: list[float], std: list[float]
) -> dict[str, Any]:
    """What `backbone.json` holds: what it is, its `num_parameters`, and `mean` and `std` (0 to 1) of its inputs."""
    num_parameters = sum(parameter.numel() for parameter in model.parameters())
    backbone_info = {"name": name, "library": library, "network": network}
    return {**backbone_info, "parameters": num_parameters, "mean": mean, "std": std}
