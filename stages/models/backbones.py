"""Networks of torchvision and timm without their classifier: images to a vector of features each."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from stages.models.loading import load_weights
from stages.project.console import Refusal

# torchvision's published weights of the first two want pixels scaled again inside; the others have no linear classifier
_UNFIT = ("googlenet", "inception_v3", "squeezenet1_0", "squeezenet1_1")


def backbone(library: str, network: str) -> nn.Module:
    """A library's network up to its last linear layer, with random weights from torch's global generator.

    Args:
        library: "torchvision" or "timm".
        network: its name there, or `name.weights` as both libraries call their published weights.

    Returns:
        Takes normalised float (N, 3, H, W), RGB; gives pooled features (N, D).

    Raises:
        Refusal: the library has no such network.
    """
    if network not in (known := networks(library)):
        near = get_close_matches(network, known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"see the models for image classification of {library}"
        raise Refusal(f"backbones.*.network is {network!r}, which {library} does not have; {hint}")
    with torch.device("cpu"):  # also for a look at shapes alone: RegNet reads numbers from tensors while it is built
        return (
            without_classifier(whole(library, network)) if library == "torchvision" else _timm(network, num_classes=0)
        )


def networks(library: str) -> list[str]:
    """What `backbone` may be asked for: every network's name, and `name.weights` of its published weights.

    Raises:
        Refusal: there is no such library.
    """
    if library == "torchvision":
        from torchvision import models

        names = [name for name in models.list_models(module=models) if name not in _UNFIT]
        return names + [f"{name}.{weights.name}" for name in names for weights in models.get_model_weights(name)]
    if library == "timm":
        import timm

        return [*timm.list_models(), *timm.list_pretrained()]
    raise Refusal(f"backbones.*.library is {library!r}; allowed: torchvision, timm")


def whole(library: str, network: str) -> nn.Module:
    """The network as its library makes it, with its classifier and random weights."""
    if library == "timm":
        return _timm(network)
    from torchvision.models import get_model

    made: nn.Module = get_model(network.partition(".")[0], weights=None)
    return made


def _timm(network: str, **settings: Any) -> nn.Module:
    import timm

    made: nn.Module = timm.create_model(network, pretrained=False, **settings)
    return made


def without_classifier(network: nn.Module) -> nn.Module:
    """`network`, its last linear layer replaced by the identity."""
    *_, last = (name for name, module in network.named_modules() if isinstance(module, nn.Linear))
    network.set_submodule(last, nn.Identity())
    return network


def load_backbone(library: str, network: str, path: Path) -> nn.Module:
    """The backbone with the weights of a safetensors file, frozen, in evaluation mode.

    Raises:
        Refusal: the file is missing or damaged, or holds the weights of another network.
    """
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        made = backbone(library, network)
    try:
        load_weights(made, load_file(path))
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    except Refusal as refusal:
        raise Refusal(f"{path} does not fit {network}: {refusal}") from refusal
    return made.requires_grad_(False).eval()


def feature_size(network: nn.Module, height: int, width: int) -> int:
    """How many features a backbone gives of images of a size, found by asking it.

    Raises:
        Refusal: it cannot take such images, or gives no vectors.
    """
    try:
        with torch.inference_mode():
            features = network.eval()(torch.zeros(1, 3, height, width, device="cpu"))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise Refusal(
            f"a backbone cannot take {height}x{width} pixels ({error}); set datasets.*.prepare.size to what it needs"
        ) from error
    if features.ndim != 2:
        raise Refusal(f"the backbone gives {list(features.shape)} of an image, not a vector; use another network")
    return int(features.shape[1])


def describe_backbone(
    name: str, library: str, network: str, made: nn.Module, mean: list[float], std: list[float]
) -> dict[str, Any]:
    """What `backbone.json` holds: what it is, its `parameters`, and `mean` and `std` (0 to 1) of its inputs."""
    parameters = sum(parameter.numel() for parameter in made.parameters())
    about = {"name": name, "library": library, "network": network}
    return {**about, "parameters": parameters, "mean": mean, "std": std}
