"""The data of the tour's steps: digits, prepared by this pipeline or else scikit-learn's, and a trained network."""

from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vision_pipeline.config.load import load_params
from vision_pipeline.config.models import TrainConfig
from vision_pipeline.core.paths import PREPARED
from vision_pipeline.core.system import get_library_versions
from vision_pipeline.data.format import Split, open_dataset
from vision_pipeline.models.build import build_model
from vision_pipeline.models.checkpoint import Checkpoint
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.sources.standins.datasets import iter_digits
from vision_pipeline.training.batches import ArrayDataset, Batch
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import ImageTransform, TrainTask
from vision_pipeline.training.trainer import fit

_Arrays = tuple[np.ndarray, np.ndarray]  # inputs, targets

CPU_RUNTIME = Runtime(torch.device("cpu"), "fp32", 1, "the tour's")
# scikit-learn has 1,797 images; of MNIST as few are taken
_SPLIT_SIZES: dict[Split, int] = {"train": 1300, "val": 200, "test": 297}


class TourData:
    """Grey digits of 28 x 28 pixels: the splits `train`, `val` and `test`, and their origin, `source`."""

    def __init__(self) -> None:
        is_prepared = (PREPARED / "mnist" / "dataset.json").exists()
        self.source, splits = _load_prepared_mnist() if is_prepared else _load_sklearn_digits()
        self.train, self.val, self.test = (ArrayDataset(*split, CPU_RUNTIME.device) for split in splits)
        self._transform = ImageTransform(_skip_augmentation, mean=[0.5], std=[0.5], seed=0, device=CPU_RUNTIME.device)

    def load_batch(self, size: int = 64) -> Batch:
        """Return the first batch of the first epoch."""
        return next(self.train.iter_batches(size, seed=0, epoch=1))

    def load_images(self, size: int = 64) -> Tensor:
        """Return that batch as a network takes it: float32 (size, 1, 28, 28), -1 to 1."""
        return self._transform.apply_eval(self.load_batch(size).inputs)

    def preprocess(self, pixels: Tensor) -> Tensor:
        """Convert uint8 (N, 28, 28, 1) to float32 (N, 1, 28, 28), -1 to 1."""
        return self._transform.apply_eval(pixels)

    def build_network(self, *hidden: int, dropout: float = 0.0) -> Any:
        """Return the pipeline's MLP with these hidden layers, untrained."""
        return build_model("mlp", mlp_settings(*hidden, dropout=dropout), [28, 28, 1], 10)

    def train_network(self, network: nn.Module) -> TrainResult:
        """Train five epochs as params.yaml has them for mnist-mlp, with a higher lr because there are few images."""
        train_config: TrainConfig = load_params("models.mnist-mlp.train")[0].model_copy(update={"lr": 0.1})
        transform = self._transform
        task = TrainTask(
            name="tour", network=network, train=self.train, val=self.val, train_transform=transform.apply_train,
            eval_transform=transform.apply_eval, class_weights=None, seed=0,
        )  # fmt: skip
        return fit(task, train_config, CPU_RUNTIME, after_epoch=lambda epoch: None)

    @cached_property
    def trained_network(self) -> nn.Module:
        """The course's network after `train_network`, in evaluation mode."""
        with torch.random.fork_rng():
            torch.manual_seed(0)
            network = self.build_network(128, 64)
            network.load_state_dict(self.train_network(network).weights)
        return network.eval()

    def make_checkpoint(self, network: nn.Module, *hidden: int, dropout: float = 0.0) -> Checkpoint:
        """Return the checkpoint that the stage `train` would write of such a network."""
        return Checkpoint(
            name="tour", architecture="mlp", settings=mlp_settings(*hidden, dropout=dropout), input_shape=[28, 28, 1],
            class_names=list("0123456789"), normalize={"mean": [0.5], "std": [0.5]}, backbone=None,
            state_dict=network.state_dict(), provenance={"source": self.source}, training={"seed": 0},
            versions=get_library_versions(), metrics={},
        )  # fmt: skip


def mlp_settings(*hidden: int, dropout: float = 0.0) -> dict[str, Any]:
    """Return the settings of an MLP in params.yaml."""
    return {"hidden": list(hidden), "activation": "relu", "dropout": dropout, "batch_norm": False}


def _load_prepared_mnist() -> tuple[str, list[_Arrays]]:
    prepared = open_dataset(PREPARED / "mnist")
    splits = [(prepared.inputs(name)[:count], prepared.targets(name)[:count]) for name, count in _SPLIT_SIZES.items()]
    return f"MNIST as prepared here ({prepared.info.provenance['status']})", splits


def _load_sklearn_digits() -> tuple[str, list[_Arrays]]:
    images, targets = zip(*iter_digits(), strict=True)
    pixels, labels = np.stack(images)[..., None], np.array(targets, np.int64)
    split_ends = np.cumsum(list(_SPLIT_SIZES.values()))[:-1]
    return "scikit-learn's digits", list(zip(np.split(pixels, split_ends), np.split(labels, split_ends), strict=True))


def _skip_augmentation(pixels: Tensor, indices: Tensor, seed: int, epoch: int, step: int, rows: slice) -> Tensor:
    """Return a batch without augmentation, float32 (N, 1, H, W) on the scale 0 to 1."""
    return pixels[rows].permute(0, 3, 1, 2).float() / 255
