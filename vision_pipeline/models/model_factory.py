"""What the training of a model starts from: a backbone's pretrained weights, or nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vision_pipeline.config.models import AnyModelConfig
from vision_pipeline.core.files import atomic_dir, read_json, write_json
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.models.build import architecture_config, build_model
from vision_pipeline.models.checkpoint import Checkpoint, save_checkpoint
from vision_pipeline.models.loading import load_weights
from vision_pipeline.runtime.preprocessing import normalization_stats


class DatasetInfoLike(Protocol):
    """What a prepared data set says of its inputs (see `datasets/format.py`)."""

    @property
    def shape(self) -> list[int]: ...
    @property
    def class_names(self) -> list[str]: ...
    @property
    def mean(self) -> list[float]: ...
    @property
    def std(self) -> list[float]: ...
    @property
    def provenance(self) -> dict[str, Any]: ...


class ModelFactory:
    """A folder of data/weights; `none` is one, too, and all that follows is then as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._backbone_info = folder, read_json(folder / "backbone.json")
        self._from_scratch = folder.name == "none"

    def get_settings(self, model: AnyModelConfig) -> dict[str, Any]:
        """All that `build` and a checkpoint need: the architecture's own keys, and what the backbone is."""
        return architecture_config(model) | ({} if self._from_scratch else {"backbone": self._backbone_info})

    def get_normalization(self, kind: str, mean: list[float], std: list[float]) -> dict[str, list[float]]:
        """As `normalization`; of the kind "backbone" what the backbone's pretraining had."""
        if kind == "backbone":
            return {key: self._backbone_info[key] for key in ("mean", "std")}
        return normalization_stats(kind, mean, std)

    def build(self, model: AnyModelConfig, dataset_info: DatasetInfoLike) -> nn.Module:
        """The network of a model, in channels_last layout; what is not pretrained is drawn from torch's generator."""
        network = build_model(
            model.architecture, self.get_settings(model), dataset_info.shape, len(dataset_info.class_names)
        )
        init_weights(network, getattr(model, "initialization", "default"))
        if not self._from_scratch:
            load_weights(network.get_submodule("backbone"), load_file(self._folder / "weights.safetensors"))
        return network.to(memory_format=torch.channels_last)

    def make_checkpoint(
        self,
        name: str,
        model: AnyModelConfig,
        dataset_info: DatasetInfoLike,
        state_dict: dict[str, Tensor],
        training: dict[str, Any],
    ) -> Checkpoint:
        """What is kept of a model whose `training` from here ended with `state_dict`."""
        return Checkpoint(
            name=name,
            architecture=model.architecture,
            settings=self.get_settings(model),
            input_shape=dataset_info.shape,
            class_names=dataset_info.class_names,
            normalize=self.get_normalization(model.normalize, dataset_info.mean, dataset_info.std),
            backbone=None,
            state_dict=state_dict,
            provenance=self._merge_provenance(dataset_info.provenance),
            training=training,
            versions=get_library_versions(),
            metrics={},
        )

    def _merge_provenance(self, data_provenance: dict[str, Any]) -> dict[str, Any]:
        """Of the data, and of the pretrained weights beside it, as features have it."""
        if self._from_scratch:
            return data_provenance
        weights_provenance = read_json(self._folder / "provenance.json")
        return data_provenance | {"backbone": {"name": self._backbone_info["name"], "weights": weights_provenance}}


# MERGED How the weights of linear and convolution layers are drawn before training.
# MERGED
# MERGED Sources: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010, on
# MERGED the scale 1/sqrt(n); He et al. 2015, arXiv 1502.01852, on torch's default.
_INITIALIZERS: dict[str, Callable[[Tensor, float], Tensor]] = {  # a weight and 1/sqrt(n), n being the inputs of a unit
    "zeros": lambda weight, scale: weight.zero_(),
    "ones": lambda weight, scale: weight.fill_(1.0),
    "uniform": lambda weight, scale: weight.uniform_(0.0, 1.0),
    "uniform-half": lambda weight, scale: weight.uniform_(-0.5, 0.5),
    "uniform-fan-in": lambda weight, scale: weight.uniform_(-scale, scale),
    "normal-fan-in": lambda weight, scale: weight.normal_(0.0, scale),
}


@torch.no_grad()
def init_weights(network: nn.Module, initialization: str) -> None:
    """Draw the weights anew from torch's generator, with biases of 0; `default` leaves the network as torch made it."""
    if initialization == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            _INITIALIZERS[initialization](module.weight, module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                module.bias.zero_()


# MERGED The folder of a trained model: its checkpoint, and what of it can be read without torch.
def save_trained_model(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint.pth`, and `training.json` with the key and the settings of its training."""
    with atomic_dir(folder) as partial:
        save_checkpoint(partial / "checkpoint.pth", checkpoint)
        write_json(partial / "training.json", {key: checkpoint.training[key] for key in ("key", "settings")})
