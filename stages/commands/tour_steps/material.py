"""What the steps work on: digits, as this pipeline has prepared them or else scikit-learn's, and a trained network."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.compute.device import Machine
from stages.datasets.format import Split, open_set
from stages.models.build import build
from stages.models.checkpoint import Checkpoint
from stages.params import load
from stages.params.training import Train
from stages.project.paths import PREPARED
from stages.project.versions import versions
from stages.sources.standin import digits
from stages.training.batches import Batch, Rows
from stages.training.inputs import ImageInputs
from stages.training.loop import fit
from stages.training.outcome import Outcome
from stages.training.task import Task

CPU = Machine(torch.device("cpu"), "fp32", 1, "the tour's")
_COUNTS: dict[Split, int] = {"train": 1300, "val": 200, "test": 297}  # of scikit-learn's 1,797 images; as few of MNIST


class Material:
    """Grey digits of 28 x 28 pixels: `train`, `val` and `test`, and from where they come, `source`."""

    def __init__(self) -> None:
        self.source, splits = _prepared() if (PREPARED / "mnist" / "dataset.json").exists() else _drawn()
        self.train, self.val, self.test = (Rows(*split, CPU.device) for split in splits)
        self._inputs = ImageInputs(_as_stored, mean=[0.5], std=[0.5], seed=0, device=CPU.device)

    def batch(self, size: int = 64) -> Batch:
        """The first batch of the first epoch."""
        return next(self.train.batches(size, seed=0, epoch=1))

    def images(self, size: int = 64) -> Tensor:
        """That batch as a network takes it: float32 (size, 1, 28, 28), -1 to 1."""
        return self._inputs.to_val(self.batch(size).inputs)

    def to_network(self, pixels: Tensor) -> Tensor:
        """uint8 (N, 28, 28, 1) to float32 (N, 1, 28, 28), -1 to 1."""
        return self._inputs.to_val(pixels)

    def network(self, *hidden: int, dropout: float = 0.0) -> Any:
        """The pipeline's MLP of these hidden layers, untrained; steps look at its layers."""
        return build("mlp", settings(*hidden, dropout=dropout), [28, 28, 1], 10)

    def train_network(self, network: nn.Module) -> Outcome:
        """Five epochs as params.yaml has them for mnist-mlp, at a higher rate, for there are few images."""
        train: Train = load("models.mnist-mlp.train")[0].model_copy(update={"lr": 0.1})
        inputs = self._inputs
        task = Task("tour", network, self.train, self.val, inputs.to_train, inputs.to_val, None, seed=0)
        return fit(task, train, CPU, after_epoch=lambda epoch: None)

    @cached_property
    def trained(self) -> nn.Module:
        """The course's network after `train_network`, in evaluation mode."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = self.network(128, 64)
            network.load_state_dict(self.train_network(network).weights)
        return network.eval()

    def checkpoint(self, network: nn.Module, *hidden: int, dropout: float = 0.0) -> Checkpoint:
        """What the stage `train` keeps of such a network."""
        return Checkpoint(
            name="tour", architecture="mlp", settings=settings(*hidden, dropout=dropout), input_shape=[28, 28, 1],
            class_names=list("0123456789"), normalize={"mean": [0.5], "std": [0.5]}, backbone=None,
            state_dict=network.state_dict(), provenance={"source": self.source}, training={"seed": 0},
            versions=versions(), metrics={},
        )  # fmt: skip


def settings(*hidden: int, dropout: float = 0.0) -> dict[str, Any]:
    """The keys of an MLP in params.yaml."""
    return {"hidden": list(hidden), "activation": "relu", "dropout": dropout, "batch_norm": False}


_Split = tuple[np.ndarray, np.ndarray]  # inputs, targets


def _prepared() -> tuple[str, list[_Split]]:
    found = open_set(PREPARED / "mnist")
    splits = [(found.inputs(split)[:count], found.targets(split)[:count]) for split, count in _COUNTS.items()]
    return f"MNIST as prepared here ({found.about.provenance['status']})", splits


def _drawn() -> tuple[str, list[_Split]]:
    images, targets = zip(*digits(), strict=True)
    pixels, labels = np.stack(images)[..., None], np.array(targets, np.int64)
    ends = np.cumsum(list(_COUNTS.values()))[:-1]
    return "scikit-learn's digits", list(zip(np.split(pixels, ends), np.split(labels, ends), strict=True))


def _as_stored(pixels: Tensor, rows: Tensor, seed: int, epoch: int, step: int, wanted: slice) -> Tensor:
    """No augmentation."""
    return pixels[wanted].permute(0, 3, 1, 2).float() / 255
