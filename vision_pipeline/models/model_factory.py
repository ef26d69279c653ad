"""New models: their network before training, and the files of the trained model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vision_pipeline.config.models import AnyModelConfig
from vision_pipeline.core.files import atomic_dir, read_json, write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.models.build import architecture_config, build_model
from vision_pipeline.models.checkpoint import Checkpoint, save_checkpoint
from vision_pipeline.models.loading import load_weights
from vision_pipeline.runtime.preprocessing import normalization_stats

# functions of a weight and 1/sqrt(n), n being the number of a unit's inputs
_INITIALIZERS: dict[str, Callable[[Tensor, float], Tensor]] = {
    "zeros": lambda weight, scale: weight.zero_(),
    "ones": lambda weight, scale: weight.fill_(1.0),
    "uniform": lambda weight, scale: weight.uniform_(0.0, 1.0),
    "uniform-half": lambda weight, scale: weight.uniform_(-0.5, 0.5),
    "uniform-fan-in": lambda weight, scale: weight.uniform_(-scale, scale),
    "normal-fan-in": lambda weight, scale: weight.normal_(0.0, scale),
}


class DatasetInfoLike(Protocol):
    """The properties of a prepared data set that a model depends on (see `data/format.py`)."""

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
    """A factory of the networks and checkpoints that start from a folder of data/weights.

    The folder `none` stands for no pretrained weights.
    """

    def __init__(self, folder: Path) -> None:
        """Read `backbone.json` of the folder."""
        self._folder, self._backbone_info = folder, read_json(folder / "backbone.json")
        self._from_scratch = folder.name == "none"

    def get_settings(self, model: AnyModelConfig) -> dict[str, Any]:
        """Return the settings for `build_model` and a checkpoint: the architecture's own keys, and the backbone."""
        return architecture_config(model) | ({} if self._from_scratch else {"backbone": self._backbone_info})

    def get_normalization(self, kind: str, mean: list[float], std: list[float]) -> dict[str, list[float]]:
        """Return `mean` and `std` of inputs; of kind "backbone" those of its pretraining, see `normalization_stats`."""
        if kind == "backbone":
            return {key: self._backbone_info[key] for key in ("mean", "std")}
        return normalization_stats(kind, mean, std)

    def build(self, model: AnyModelConfig, dataset_info: DatasetInfoLike) -> nn.Module:
        """Return the network of a model, in channels_last layout, with its initial weights.

        Weights that are not pretrained are drawn from torch's global generator.

        Raises:
            ConfigError: the settings build no network for such inputs.
            ArtifactError: the pretrained weights do not fit the backbone.
        """
        network = build_model(
            model.architecture, self.get_settings(model), dataset_info.shape, len(dataset_info.class_names)
        )
        init_weights(network, getattr(model, "initialization", "default"))
        if not self._from_scratch:
            load_weights(network.get_submodule("backbone"), load_file(self._folder / "weights.safetensors"))
            logger.debug(f"{model.architecture} starts from the weights of {self._folder}")
        return network.to(memory_format=torch.channels_last)

    def make_checkpoint(
        self,
        name: str,
        model: AnyModelConfig,
        dataset_info: DatasetInfoLike,
        *,
        state_dict: dict[str, Tensor],
        training: dict[str, Any],
    ) -> Checkpoint:
        """Return the checkpoint of a trained model.

        Args:
            name: of the model.
            model: its section of params.yaml.
            dataset_info: of its training data.
            state_dict: the trained weights.
            training: the record of the training, see `Checkpoint`.
        """
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
        """Add the provenance of the pretrained weights to that of the data, as features have it."""
        if self._from_scratch:
            return data_provenance
        weights_provenance = read_json(self._folder / "provenance.json")
        return data_provenance | {"backbone": {"name": self._backbone_info["name"], "weights": weights_provenance}}


@torch.no_grad()
def init_weights(network: nn.Module, initialization: str) -> None:
    """Draw the weights of linear and convolution layers from torch's global generator and set their biases to 0.

    Sources: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010,
    on the scale 1/sqrt(n); He et al. 2015, arXiv 1502.01852, on torch's default.

    Args:
        network: changed in place.
        initialization: of params.yaml; `default` leaves the network as torch initialised it.
    """
    if initialization == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            _INITIALIZERS[initialization](module.weight, module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                module.bias.zero_()


def save_trained_model(folder: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint.pth`, and `training.json`: the key and settings of its training, readable without torch."""
    with atomic_dir(folder) as partial:
        save_checkpoint(partial / "checkpoint.pth", checkpoint)
        write_json(partial / "training.json", {key: checkpoint.training[key] for key in ("key", "settings")})
