"""From a stored batch to what the network takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from vision_pipeline.data.format import PreparedDataset
from vision_pipeline.data.training_data import TrainingData
from vision_pipeline.runtime.preprocessing import Normalize, uint8_to_float
from vision_pipeline.training.batches import ArrayDataset, Batch
from vision_pipeline.training.run_spec import TrainingRun
from vision_pipeline.training.text_batches import TextBatches, TextEvalSet, make_splits


class AugmentFn(Protocol):
    """An augmentation of a batch, see `AugmentationPolicy.apply`."""

    def __call__(self, pixels: Tensor, indices: Tensor, *, seed: int, epoch: int, step: int, rows: slice) -> Tensor: ...


class ImageTransform:
    """uint8 (N, H, W, C) to normalised float32 (N, C, H, W); augmented for training, as stored for validation.

    Args:
        augment: pixels, their rows, seed, epoch, step and which are wanted to float32 (N, C, H, W), 0 to 1.
        mean, std: per channel, on the scale 0 to 1.
        seed: of the augmentation.
        device: of the batches.
    """

    def __init__(
        self, augment: AugmentFn, mean: list[float], std: list[float], seed: int, device: torch.device
    ) -> None:
        self._augment, self._seed = augment, seed
        self._normalize = Normalize(mean, std).to(device)

    def apply_train(self, batch: Batch, rows: slice) -> Tensor:
        """Those of a batch's inputs that are wanted, as training sees them."""
        key = {"seed": self._seed, "epoch": batch.epoch, "step": batch.step}
        return self._normalize(self._augment(batch.inputs, batch.rows, **key, rows=rows))

    def apply_eval(self, pixels: Tensor) -> Tensor:
        """The batch unchanged."""
        return self._normalize(uint8_to_float(pixels))


class FeatureTransform:
    """float16 (N, D) to standardised float32 (N, D); features are augmented where they are computed."""

    def __init__(self, mean: list[float], std: list[float], device: torch.device) -> None:
        self._mean, self._std = (torch.tensor(values, device=device) for values in (mean, std))

    def apply_train(self, batch: Batch, rows: slice) -> Tensor:
        """The same as for validation."""
        return self.apply_eval(batch.inputs[rows])

    def apply_eval(self, features: Tensor) -> Tensor:
        """Mean 0 and deviation 1 over the training features."""
        return (features.float() - self._mean) / self._std


class TokenTransform:
    """Stored symbols to int64; the network makes vectors of them."""

    def apply_train(self, batch: Batch, rows: slice) -> Tensor:
        """The same as for validation; a text is never shared among ranks, so that `rows` is all of it."""
        return self.apply_eval(batch.inputs[rows])

    def apply_eval(self, tokens: Tensor) -> Tensor:
        """Their numbers."""
        return tokens.long()


def make_transform(
    kind: str, augment: AugmentFn, normalization: dict[str, list[float]], seed: int, device: torch.device
) -> ImageTransform | FeatureTransform | TokenTransform:
    """What becomes of a set's inputs, by its kind (see `datasets/format.py`); `normalization` is their `mean` and `std`."""
    if kind in ("text", "sequences"):
        return TokenTransform()
    if kind == "images":
        return ImageTransform(augment, **normalization, seed=seed, device=device)
    return FeatureTransform(**normalization, device=device)


def compute_class_weights(counts: list[int], kind: str, device: torch.device) -> Tensor | None:
    """Weights of the loss: `balanced` gives every class the same say, N / (classes * count); `none` gives None."""
    if kind == "none":
        return None
    class_counts = torch.tensor(counts, dtype=torch.float32, device=device).clamp(min=1)
    return class_counts.sum() / (len(counts) * class_counts)


# MERGED What is to be trained: a network, its data, and what becomes of a batch.
@dataclass(frozen=True)
class TrainTask:
    """What is to be trained.

    Attributes:
        name: of the model, for messages.
        network: on the machine's device, what `train_transform` gives to logits; of a text with `advance` (see
            `models/recurrent.py`).
        train, val: the splits.
        train_transform: those of a batch's inputs that are wanted to the network's inputs (augmented, normalised).
        eval_transform: stored inputs to the network's inputs.
        class_weights: of the loss, float32 (classes,), or None.
        seed: of order, augmentation, mixing and dropout.
    """

    name: str
    network: nn.Module
    train: ArrayDataset | TextBatches
    val: ArrayDataset | TextEvalSet
    train_transform: Callable[[Batch, slice], Tensor]
    eval_transform: Callable[[Tensor], Tensor]
    class_weights: Tensor | None
    seed: int


def build_task(
    training_run: TrainingRun,
    data: PreparedDataset,
    train_data: TrainingData,
    network: nn.Module,
    augment: AugmentFn,
    normalization: dict[str, list[float]],
    device: torch.device,
) -> TrainTask:
    """The task of a training.

    Args:
        training_run: its model and seed.
        data: the prepared set, whose validation split is taken.
        train_data: what is trained on.
        network: on the device.
        augment: of images, as of `ImageTransform`.
        normalization: `mean` and `std` of the inputs.
        device: where batches are wanted.
    """
    info, model, seed = data.info, training_run.model, training_run.seed
    transform = make_transform(info.kind, augment, normalization, seed, device)
    train, val = make_splits(training_run.title, data, train_data, model, device)
    counts = np.bincount(train_data.targets, minlength=len(info.class_names)).tolist()
    weights = compute_class_weights(counts, model.train.class_weights, device)
    return TrainTask(
        training_run.title, network, train, val, transform.apply_train, transform.apply_eval, weights, seed
    )
