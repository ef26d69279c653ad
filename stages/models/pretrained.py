"""Pretrained weights as their publishers name them, to the names of our backbones."""

import re
from pathlib import Path

import torch
from torch import Tensor

from stages.models.backbones import backbone
from stages.models.loading import load_weights, plain_content, read_bounded
from stages.project.console import Refusal

_LARGEST = 256 << 20  # bytes; the known files have 20 to 32 million
_SEED = 0


def pretrained_weights(name: str, path: Path) -> dict[str, Tensor]:
    """The state dict of `backbone(name)` from a file as published; the classifier is dropped.

    Raises:
        Refusal: the file is damaged, holds code, or does not fit the network.
    """
    published, network = _published(path), backbone(name)
    try:
        load_weights(network, _RENAMED[name](published))
    except Refusal as refusal:
        raise Refusal(f"{path.name} does not give the weights of {name}: {refusal}") from refusal
    return network.state_dict()


def random_weights(name: str) -> dict[str, Tensor]:
    """Weights that were never trained, always the same: drawn as the library draws them, from a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        return backbone(name).state_dict()


def _published(path: Path) -> dict[str, Tensor]:
    content = plain_content(path, read_bounded(path, _LARGEST))
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise Refusal(f"{path} holds no state dict")
    return content


def _rename_densenet121(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Files from before 2018 say `norm.1` for `norm1` and count no batches."""
    renamed = {}
    for key, tensor in published.items():
        if key.startswith("features."):
            name = re.sub(r"\b(norm|conv)\.([12])\.", r"\1\2.", key)
            renamed[name] = tensor
            if name.endswith(".running_var"):
                renamed.setdefault(name.replace("running_var", "num_batches_tracked"), torch.tensor(0))
    return renamed


def _rename_efficientnet_lite0(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """The file has names of its own, but the order of timm's network; shapes are checked afterwards."""
    wanted = backbone("efficientnet_lite0").state_dict()
    features = {key: tensor for key, tensor in published.items() if not key.startswith("_fc.")}
    kinds = [key.rsplit(".", 1)[-1] for key in features]
    if kinds != [key.rsplit(".", 1)[-1] for key in wanted]:
        raise Refusal(f"it holds {len(features)} tensors in another order than the network's {len(wanted)}")
    return dict(zip(wanted, features.values(), strict=True))


_RENAMED = {"densenet121": _rename_densenet121, "efficientnet_lite0": _rename_efficientnet_lite0}
