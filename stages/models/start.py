"""What the training of a model starts from: a backbone's pretrained weights, or nothing."""

from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from stages.compute.pixels import normalization
from stages.models.build import build, settings_of
from stages.models.checkpoint import Checkpoint
from stages.models.initialization import initialize
from stages.models.loading import load_weights
from stages.params.models import AnyModel
from stages.project.files import read_json
from stages.project.versions import versions


class About(Protocol):
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


class Start:
    """A folder of data/weights; `none` is one, too, and all that follows is then as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._backbone = folder, read_json(folder / "backbone.json")
        self._nothing = folder.name == "none"

    def settings(self, model: AnyModel) -> dict[str, Any]:
        """All that `build` and a checkpoint need: the architecture's own keys, and what the backbone is."""
        return settings_of(model) | ({} if self._nothing else {"backbone": self._backbone})

    def scale(self, kind: str, mean: list[float], std: list[float]) -> dict[str, list[float]]:
        """As `normalization`; of the kind "backbone" what the backbone's pretraining had."""
        if kind == "backbone":
            return {key: self._backbone[key] for key in ("mean", "std")}
        return normalization(kind, mean, std)

    def network(self, model: AnyModel, about: About) -> nn.Module:
        """The network of a model, in channels_last layout; what is not pretrained is drawn from torch's generator."""
        network = build(model.architecture, self.settings(model), about.shape, len(about.class_names))
        initialize(network, getattr(model, "initialization", "default"))
        if not self._nothing:
            load_weights(network.get_submodule("backbone"), load_file(self._folder / "weights.safetensors"))
        return network.to(memory_format=torch.channels_last)

    def checkpoint(
        self, name: str, model: AnyModel, about: About, weights: dict[str, Tensor], training: dict[str, Any]
    ) -> Checkpoint:
        """What is kept of a model whose `training` from here ended with `weights`."""
        return Checkpoint(
            name=name,
            architecture=model.architecture,
            settings=self.settings(model),
            input_shape=about.shape,
            class_names=about.class_names,
            normalize=self.scale(model.normalize, about.mean, about.std),
            backbone=None,
            state_dict=weights,
            provenance=self._provenance(about.provenance),
            training=training,
            versions=versions(),
            metrics={},
        )

    def _provenance(self, data: dict[str, Any]) -> dict[str, Any]:
        """Of the data, and of the pretrained weights beside it, as features have it."""
        if self._nothing:
            return data
        weights = read_json(self._folder / "provenance.json")
        return data | {"backbone": {"name": self._backbone["name"], "weights": weights}}
