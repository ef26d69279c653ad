"""Pretrained weights as their publishers name them, to the names of our backbones."""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from vision_pipeline.core.errors import UserError
from vision_pipeline.models.backbones import create_backbone, create_network
from vision_pipeline.models.loading import load_weights, load_weights_only, read_limited

_MAX_BYTES = 4 << 30  # bytes; most files have 10 to 400 million
_SEED = 0
_LITE0_FILE = "efficientnet-lite0-57934424.pth"


def load_pretrained_weights(library: str, network: str, path: Path) -> dict[str, Tensor]:
    """The state dict of `backbone(library, network)` from a file as published; the classifier is dropped.

    Raises:
        UserError: the file is damaged, holds code, or does not fit the network.
    """
    published, model = _load_published(path), create_backbone(library, network)
    try:
        if path.name == _LITE0_FILE:
            renamed = _rename_lite0_keys(published, model)
        else:
            renamed = _rename_keys(published, model, create_network(library, network))
        load_weights(model, renamed)
    except UserError as user_error:
        raise UserError(f"{path.name} does not give the weights of {network}: {user_error}") from user_error
    return model.state_dict()


def make_random_weights(library: str, network: str) -> dict[str, Tensor]:
    """Weights that were never trained, always the same: drawn as the library draws them, from a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        return create_backbone(library, network).state_dict()


def _load_published(path: Path) -> dict[str, Tensor]:
    raw = read_limited(path, _MAX_BYTES)
    if path.suffix == ".safetensors":
        try:
            return load(raw)
        except SafetensorError as error:
            raise UserError(f"{path} is damaged ({error}); make it again") from error
    content = load_weights_only(path, raw)
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise UserError(f"{path} holds no state dict")
    return content


def _rename_keys(published: dict[str, Tensor], model: nn.Module, full_network: nn.Module) -> dict[str, Tensor]:
    """Files from before 2018 count no batches, and DenseNet's say `norm.1` for `norm1`."""
    expected = model.state_dict()
    classifier_keys = full_network.state_dict().keys() - expected.keys()
    batch_counters = {name: torch.tensor(0) for name in expected if name.endswith("num_batches_tracked")}
    renamed = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key): published[key] for key in published}
    return batch_counters | {name: tensor for name, tensor in renamed.items() if name not in classifier_keys}


def _rename_lite0_keys(published: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """The package's file has names of its own, but the order of timm's network; shapes are checked afterwards."""
    expected = model.state_dict()
    features = {key: tensor for key, tensor in published.items() if not key.startswith("_fc.")}
    kinds = [key.rsplit(".", 1)[-1] for key in features]
    if kinds != [key.rsplit(".", 1)[-1] for key in expected]:
        raise UserError(f"it holds {len(features)} tensors in another order than the network's {len(expected)}")
    return dict(zip(expected, features.values(), strict=True))
