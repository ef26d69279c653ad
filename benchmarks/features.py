"""Seconds of training a head on a frozen backbone: features computed once and kept, or anew in every epoch.

Both ways end with the same head, that of params.yaml's DenseNet121: same images, same folded backbone, same order, same
engine. The backbone is EfficientNet-Lite0 with random weights: its speed does not depend on them.
"""

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.common import images, machine, model_of
from benchmarks.timing import in_turns, seconds_of
from stages.compute.device import Machine
from stages.compute.pixels import Normalize, to_unit
from stages.models.backbones import backbone, feature_size
from stages.models.build import build, settings_of
from stages.models.features import Extractor
from stages.models.folding import folded
from stages.models.transfer import join
from stages.project.console import bar
from stages.training.batches import Rows
from stages.training.inputs import FeatureInputs
from stages.training.loop import fit
from stages.training.outcome import Outcome
from stages.training.task import Task

BACKBONE, MODEL, SIZE, BATCH, ROUNDS = "tf_efficientnet_lite0", "cats_dogs-densenet121", 224, 16, 2
ABOUT: dict[str, Any] = {"name": BACKBONE, "mean": [127 / 255] * 3, "std": [128 / 255] * 3}
CLASSES = 10  # of made-up images


class Ways:
    """The two ways of training the same head on `count` made-up images; a tenth of them validate, too."""

    def __init__(self, count: int, epochs: int, on: Machine) -> None:
        self._model, self._on = model_of(MODEL), on
        changes = {"epochs": epochs, "batch_size": BATCH, "patience": 0}
        self._settings = self._model.train.model_copy(update=changes)
        self._pixels, self._targets = images(count, SIZE)
        torch.manual_seed(0)
        self._backbone = backbone("timm", BACKBONE).requires_grad_(False).eval()
        self._size = feature_size(self._backbone, SIZE, SIZE)
        self._mean, self._std = [0.0] * self._size, [1.0] * self._size  # the head takes features as they are

    def cached(self) -> Outcome:
        """As the stages featurize and train do: the backbone sees every image once."""
        extractor = Extractor(self._backbone, ABOUT, self._on, BATCH, [SIZE, SIZE, 3])
        features = np.empty((len(self._pixels), self._size), np.float16)
        with bar(len(features), "features") as shown:
            extractor.write(self._pixels, lambda pixels, rows, step: to_unit(pixels), features, shown)
        return self._fit(self._head(), features, FeatureInputs(self._mean, self._std, self._on.device).to_val)

    def recomputed(self) -> Outcome:
        """Backbone and head as one network: the backbone sees every image in every epoch."""
        network = join(folded(self._backbone, torch.rand(1, 3, SIZE, SIZE)), self._mean, self._std, self._head())
        normalize = Normalize(ABOUT["mean"], ABOUT["std"]).to(self._on.device)
        network = network.to(memory_format=torch.channels_last)
        return self._fit(network, self._pixels, lambda pixels: normalize(to_unit(pixels)))

    def _head(self) -> nn.Module:
        torch.manual_seed(0)
        return build(self._model.architecture, settings_of(self._model), [self._size], CLASSES)

    def _fit(self, network: nn.Module, inputs: np.ndarray, prepare: Callable[[Tensor], Tensor]) -> Outcome:
        device, held = self._on.device, len(inputs) // 10
        train, val = Rows(inputs, self._targets, device), Rows(inputs[:held], self._targets[:held], device)
        task = Task(
            "head",
            network.to(device),
            train,
            val,
            lambda batch, wanted: prepare(batch.inputs[wanted]),
            prepare,
            None,
            0,
        )
        return fit(task, self._settings, self._on, lambda epoch: None)


def main() -> None:
    """Measure both ways in turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--epochs", type=int, default=10)
    asked = parser.parse_args()
    ways = Ways(asked.images, asked.epochs, machine())
    found = in_turns(ROUNDS, cached=lambda: seconds_of(ways.cached), recomputed=lambda: seconds_of(ways.recomputed))
    what = f"{BACKBONE}, {asked.images} images of {SIZE} px, {asked.epochs} epochs"
    print(f"{what}: with cached features {found['recomputed'] / found['cached']:.1f} times as fast")


if __name__ == "__main__":
    main()
