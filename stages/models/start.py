"""What the training of a model starts from: a backbone's pretrained weights, or nothing."""

from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from stages.compute.pixels import normalization
from stages.models.build import settings_of
from stages.models.loading import load_weights
from stages.params.models import Model
from stages.project.files import read_json


class Start:
    """A folder of data/weights; `none` is one, too, and all that follows is then as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._backbone = folder, read_json(folder / "backbone.json")
        self._nothing = folder.name == "none"

    def settings(self, model: Model) -> dict[str, Any]:
        """All that `build` and a checkpoint need: the architecture's own keys, and what the backbone is."""
        return settings_of(model) | ({} if self._nothing else {"backbone": self._backbone})

    def scale(self, kind: str, mean: list[float], std: list[float]) -> dict[str, list[float]]:
        """As `normalization`; of the kind "backbone" what the backbone's pretraining had."""
        if kind == "backbone":
            return {key: self._backbone[key] for key in ("mean", "std")}
        return normalization(kind, mean, std)

    def load_into(self, network: nn.Module) -> None:
        """Give the network's `backbone` the pretrained weights."""
        if not self._nothing:
            load_weights(network.get_submodule("backbone"), load_file(self._folder / "weights.safetensors"))

    def provenance(self, data: dict[str, Any]) -> dict[str, Any]:
        """Of the data, and of the pretrained weights beside it, as features have it."""
        if self._nothing:
            return data
        weights = read_json(self._folder / "provenance.json")
        return data | {"backbone": {"name": self._backbone["name"], "weights": weights}}

    def files(self) -> list[Path]:
        """Those whose bytes stand for all of it."""
        return sorted(self._folder.iterdir())
