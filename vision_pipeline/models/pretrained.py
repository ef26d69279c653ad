"""Pretrained weights: from the tensor names of their publishers to those of torchvision's and timm's networks."""

import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.models.backbones import create_backbone, create_network
from vision_pipeline.models.loading import load_weights, load_weights_only, read_limited

_MAX_BYTES = 4 << 30  # most files have 10 to 400 million
_SEED = 0
_LITE0_FILE = "efficientnet-lite0-57934424.pth"


def load_pretrained_weights(library: str, network: str, path: Path) -> dict[str, Tensor]:
    """Return the state dict of `create_backbone(library, network)` from a published file, without the classifier.

    Args:
        library, network: as `create_backbone` takes them.
        path: a .pth or .safetensors file.

    Raises:
        ArtifactError: the file is damaged, holds code, or does not fit the network.
    """
    published, model = _load_published(path), create_backbone(library, network)
    try:
        if path.name == _LITE0_FILE:
            renamed = _rename_lite0_keys(published, model)
        else:
            renamed = _rename_keys(published, model, create_network(library, network))
        load_weights(model, renamed)
    except ArtifactError as error:
        raise ArtifactError(f"{path.name} does not give the weights of {network}: {error}") from error
    return model.state_dict()


def make_random_weights(library: str, network: str) -> dict[str, Tensor]:
    """Return untrained weights, drawn as the library draws them, from a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(_SEED)
        return create_backbone(library, network).state_dict()


def _load_published(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file by their published names.

    Raises:
        ArtifactError: the file is damaged, holds code or no state dict.
    """
    raw = read_limited(path, _MAX_BYTES)
    if path.suffix == ".safetensors":
        try:
            return load(raw)
        except SafetensorError as error:
            raise ArtifactError(f"{path} is damaged ({error}); make it again") from error
    content = load_weights_only(path, raw)
    if not all(isinstance(value, Tensor) for value in content.values()):
        raise ArtifactError(f"{path} holds no state dict")
    return content


def _rename_keys(published: dict[str, Tensor], model: nn.Module, full_network: nn.Module) -> dict[str, Tensor]:
    """Rename DenseNet's `norm.1` to `norm1`, add the batch counts of files from before 2018, drop the classifier."""
    expected = model.state_dict()
    classifier_keys = full_network.state_dict().keys() - expected.keys()
    batch_counters = {name: torch.tensor(0) for name in expected if name.endswith("num_batches_tracked")}
    renamed = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key): published[key] for key in published}
    return batch_counters | {name: tensor for name, tensor in renamed.items() if name not in classifier_keys}


def _rename_lite0_keys(published: dict[str, Tensor], model: nn.Module) -> dict[str, Tensor]:
    """Rename the package's tensors: their order is that of timm's network. Shapes are checked afterwards.

    Raises:
        ArtifactError: the kinds of tensors are in another order.
    """
    expected = model.state_dict()
    features = {key: tensor for key, tensor in published.items() if not key.startswith("_fc.")}
    kinds = [key.rsplit(".", 1)[-1] for key in features]
    if kinds != [key.rsplit(".", 1)[-1] for key in expected]:
        raise ArtifactError(f"it holds {len(features)} tensors in another order than the network's {len(expected)}")
    return dict(zip(expected, features.values(), strict=True))
