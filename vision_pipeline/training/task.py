"""The training task: network, data splits, and the transforms of a stored batch to the network's inputs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vision_pipeline.config.models import AnyModelConfig, RecurrentConfig, TrainConfig
from vision_pipeline.core.errors import DataError
from vision_pipeline.data.format import PreparedDataset
from vision_pipeline.data.training_data import TrainingData
from vision_pipeline.runtime.preprocessing import Normalize, uint8_to_float
from vision_pipeline.training.batches import ArrayDataset, Batch
from vision_pipeline.training.run_spec import TrainingRun
from vision_pipeline.training.text_batches import TextBatches, TextEvalSet


class AugmentFn(Protocol):
    """The augmentation of images, such as `AugmentationPolicy.apply`."""

    def __call__(self, pixels: Tensor, indices: Tensor, *, seed: int, epoch: int, step: int, rows: slice) -> Tensor:
        """Return augmented images of a batch.

        Args:
            pixels: uint8 (N, H, W, C).
            indices: int64 (N,), on the CPU, the images' positions in their split.
            seed, epoch, step: key of all random numbers.
            rows: the images of the batch to return.

        Returns:
            float32 (n, C, H, W) on the scale 0 to 1.
        """


class ImageTransform:
    """uint8 (N, H, W, C) to normalised float32 (N, C, H, W); augmented for training, unchanged for validation.

    Args:
        augment: augmentation of the training images.
        mean, std: mean and standard deviation of each channel, on the scale 0 to 1.
        seed: seed of the augmentation.
        device: device of the batches.
    """

    def __init__(
        self, augment: AugmentFn, mean: list[float], std: list[float], *, seed: int, device: torch.device
    ) -> None:
        self._augment, self._seed = augment, seed
        self._normalize = Normalize(mean, std).to(device)

    def apply_train(self, batch: Batch, rows: slice) -> Tensor:
        """Return some rows of a batch as the network trains on them."""
        augmented = self._augment(
            batch.inputs, batch.rows, seed=self._seed, epoch=batch.epoch, step=batch.step, rows=rows
        )
        return self._normalize(augmented)

    def apply_eval(self, pixels: Tensor) -> Tensor:
        """Return images that are normalised only."""
        return self._normalize(uint8_to_float(pixels))


class FeatureTransform:
    """float16 (N, D) to standardised float32 (N, D); features are augmented when they are computed.

    Args:
        mean, std: mean and standard deviation of each feature.
        device: device of the batches.
    """

    def __init__(self, mean: list[float], std: list[float], device: torch.device) -> None:
        self._mean, self._std = (torch.tensor(values, device=device) for values in (mean, std))

    def apply_train(self, batch: Batch, rows: slice) -> Tensor:
        """Return some rows of a batch, transformed as for validation."""
        return self.apply_eval(batch.inputs[rows])

    def apply_eval(self, features: Tensor) -> Tensor:
        """Return features with mean 0 and standard deviation 1 over the training features."""
        return (features.float() - self._mean) / self._std


class TokenTransform:
    """Stored tokens to int64; the network embeds them."""

    def apply_train(self, batch: Batch, rows: slice) -> Tensor:
        """Return some rows of a batch; a text is never divided among ranks, so `rows` is all of it."""
        return self.apply_eval(batch.inputs[rows])

    def apply_eval(self, tokens: Tensor) -> Tensor:
        """Return the tokens as int64."""
        return tokens.long()


def make_transform(
    kind: str, augment: AugmentFn, normalization: dict[str, list[float]], *, seed: int, device: torch.device
) -> ImageTransform | FeatureTransform | TokenTransform:
    """Return the transform of a data set's inputs.

    Args:
        kind: kind of the inputs (see `data/format.py`).
        augment: augmentation of images.
        normalization: `mean` and `std` of the inputs.
        seed: seed of the augmentation.
        device: device of the batches.
    """
    if kind in ("text", "sequences"):
        return TokenTransform()
    if kind == "images":
        return ImageTransform(augment, **normalization, seed=seed, device=device)
    return FeatureTransform(**normalization, device=device)


def compute_class_weights(counts: list[int], kind: str, device: torch.device) -> Tensor | None:
    """Return the classes' weights in the loss, float32 (classes,): N / (classes * count), or None for kind `none`."""
    if kind == "none":
        return None
    class_counts = torch.tensor(counts, dtype=torch.float32, device=device).clamp(min=1)
    return class_counts.sum() / (len(counts) * class_counts)


@dataclass(frozen=True, kw_only=True)
class TrainTask:
    """Everything the training loop needs: network, data splits, and the transforms applied to a batch.

    Attributes:
        name: name of the training, for messages.
        network: network on the runtime's device, from transformed inputs to logits; for a text, it has
            `forward_with_state` (see `models/recurrent.py`).
        train: training split.
        val: validation split.
        train_transform: from some rows of a batch to the network's inputs (augmented, normalised).
        eval_transform: from stored inputs to the network's inputs.
        class_weights: the classes' weights in the loss, float32 (classes,), or None.
        seed: seed of order, augmentation, mixing and dropout.
    """

    name: str
    network: nn.Module
    train: ArrayDataset | TextBatches
    val: ArrayDataset | TextEvalSet
    train_transform: Callable[[Batch, slice], Tensor]
    eval_transform: Callable[[Tensor], Tensor]
    class_weights: Tensor | None
    seed: int


def make_splits(
    name: str, data: PreparedDataset, train_data: TrainingData, *, model: AnyModelConfig, device: torch.device
) -> tuple[ArrayDataset | TextBatches, ArrayDataset | TextEvalSet]:
    """Return the data that the model `name` is trained on, and its validation split, on the device.

    Raises:
        DataError: the training text is shorter than a batch.
    """
    train, val = (train_data.inputs, train_data.targets), (data.inputs("val"), data.targets("val"))
    if data.info.kind != "text" or not isinstance(model, RecurrentConfig) or not isinstance(model.train, TrainConfig):
        return ArrayDataset(*train, device), ArrayDataset(*val, device)
    if len(train[0]) < model.train.batch_size * model.steps:
        key = f"models.{name}"
        raise DataError(
            f"{data.folder} has {len(train[0]):,} symbols to train on, fewer than a batch: {key}.train.batch_size is "
            f"{model.train.batch_size} and {key}.steps {model.steps}; lower one of them, or give a longer text"
        )
    return TextBatches(*train, model.steps, device), TextEvalSet(*val, device)


def build_task(
    training_run: TrainingRun,
    data: PreparedDataset,
    train_data: TrainingData,
    *,
    network: nn.Module,
    augment: AugmentFn,
    normalization: dict[str, list[float]],
    device: torch.device,
) -> TrainTask:
    """Return the task of a training.

    Args:
        training_run: model and seed.
        data: prepared data set, whose validation split is used.
        train_data: training inputs and targets.
        network: network on the device.
        augment: augmentation of images, as `ImageTransform` takes it.
        normalization: `mean` and `std` of the inputs.
        device: device of the batches.

    Raises:
        DataError: a training text is shorter than a batch.
    """
    info, model, seed = data.info, training_run.model, training_run.seed
    transform = make_transform(info.kind, augment, normalization, seed=seed, device=device)
    train, val = make_splits(training_run.title, data, train_data, model=model, device=device)
    counts = np.bincount(train_data.targets, minlength=len(info.class_names)).tolist()
    weights = compute_class_weights(counts, model.train.class_weights, device)
    return TrainTask(
        name=training_run.title,
        network=network,
        train=train,
        val=val,
        train_transform=transform.apply_train,
        eval_transform=transform.apply_eval,
        class_weights=weights,
        seed=seed,
    )
