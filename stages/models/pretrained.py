"""Pretrained weights as their publishers name them, to the names of our backbones."""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from stages.models.backbones import backbone, whole
from stages.models.loading import load_weights, plain_content, read_bounded
from stages.project.console import Refusal

_LARGEST = 4 << 30  # bytes; most files have 10 to 400 million
_SEED = 0
_LITE0_PACKAGE = "efficientnet-lite0-57934424.pth"


def pretrained_weights(library: str, network: str, path: Path) -> dict[str, Tensor]:
    """The state dict of `backbone(library, network)` from a file as published; the classifier is dropped.

    Raises:
        Refusal: the file is damaged, holds code, or does not fit the network.
    """
    published, made = _published(path), backbone(library, network)
    try:
        if path.name == _LITE0_PACKAGE:
            renamed = _rename_lite0(published, made)
        else:
            renamed = _rename(published, made, whole(library, network))
        load_weights(made, renamed)
    except Refusal as refusal:
        raise Refusal(f"{path.name} does not give the weights of {network}: {refusal}") from refusal
    return made.state_dict()


def random_weights(library: str, network: str) -> dict[str, Tensor]:
    """Weights that were never trained, always the same: drawn as the library draws them, from a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        return backbone(library, network).state_dict()


def _published(path: Path) -> dict[str, Tensor]:
    raw = read_bounded(path, _LARGEST)
    if path.suffix == ".safetensors":
        try:
            return load(raw)
        except SafetensorError as error:
            raise Refusal(f"{path} is damaged ({error}); make it again") from error
    content = plain_content(path, raw)
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise Refusal(f"{path} holds no state dict")
    return content


def _rename(published: dict[str, Tensor], made: nn.Module, with_classifier: nn.Module) -> dict[str, Tensor]:
    """Files from before 2018 count no batches, and DenseNet's say `norm.1` for `norm1`."""
    wanted = made.state_dict()
    classifier = with_classifier.state_dict().keys() - wanted.keys()
    counts = {name: torch.tensor(0) for name in wanted if name.endswith("num_batches_tracked")}
    renamed = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key): published[key] for key in published}
    return counts | {name: tensor for name, tensor in renamed.items() if name not in classifier}


def _rename_lite0(published: dict[str, Tensor], made: nn.Module) -> dict[str, Tensor]:
    """The package's file has names of its own, but the order of timm's network; shapes are checked afterwards."""
    wanted = made.state_dict()
    features = {key: tensor for key, tensor in published.items() if not key.startswith("_fc.")}
    kinds = [key.rsplit(".", 1)[-1] for key in features]
    if kinds != [key.rsplit(".", 1)[-1] for key in wanted]:
        raise Refusal(f"it holds {len(features)} tensors in another order than the network's {len(wanted)}")
    return dict(zip(wanted, features.values(), strict=True))
