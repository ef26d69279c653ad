"""Where a network's weights are published, and how its inputs are scaled: what the catalogue or its library says."""

import re

from stages.sources.entries import WeightsEntry, read_weights

_LIMIT = 4 << 30  # bytes; the libraries publish no exact sizes


def published(library: str, network: str) -> WeightsEntry:
    """The weights of a network that the library has; those of the catalogue need no look into the library.

    Args:
        library: "torchvision" or "timm".
        network: its name there; `name.weights` chooses among several, else the library does.
    """
    known = read_weights().get(f"{library}/{network}")
    return known or (_torchvision(network) if library == "torchvision" else _timm(network))


def _torchvision(network: str) -> WeightsEntry:
    """A file's name ends with the first digits of its SHA-256."""
    from torchvision.models import get_model_weights

    name, _, chosen = network.partition(".")
    weights = get_model_weights(name)[chosen or "DEFAULT"]
    file, inputs = weights.url.rsplit("/", 1)[-1], weights.transforms()
    checksum = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    return WeightsEntry(
        licence=weights.meta.get("license", "BSD-3-Clause (torchvision)"),
        file=file,
        sha256=checksum[1] if checksum else None,
        limit=_LIMIT,
        mean=inputs.mean,
        std=inputs.std,
        url=weights.url,
    )


def _timm(network: str) -> WeightsEntry:
    """On the Hugging Face hub, as safetensors; all are called `model` there, so here by the network."""
    from timm.models import get_pretrained_cfg

    about = get_pretrained_cfg(network)
    folder = about.hf_hub_id
    return WeightsEntry(
        licence=f"{about.license or 'not stated'} (timm)",
        file=f"{network}.safetensors",
        sha256=None,
        limit=_LIMIT,
        mean=list(about.mean),
        std=list(about.std),
        url=f"https://huggingface.co/{folder}/resolve/main/model.safetensors" if folder else None,
    )
