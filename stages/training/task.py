"""What is to be trained: a network, its data, and what becomes of a batch."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from stages.datasets.format import PreparedSet
from stages.datasets.synthetic import Material
from stages.training.batches import Batch, Rows
from stages.training.inputs import Augment, class_weights, inputs_of
from stages.training.streams import Passage, Streams, train_and_val
from stages.training.training import Training


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Attributes:
        name: of the model, for messages.
        network: on the machine's device, what `to_train` gives to logits; of a text with `advance` (see
            `models/recurrent.py`).
        train, val: the splits.
        to_train: those of a batch's inputs that are wanted to the network's inputs (augmented, normalised).
        to_val: stored inputs to the network's inputs.
        class_weights: of the loss, float32 (classes,), or None.
        seed: of order, augmentation, mixing and dropout.
    """

    name: str
    network: nn.Module
    train: Rows | Streams
    val: Rows | Passage
    to_train: Callable[[Batch, slice], Tensor]
    to_val: Callable[[Tensor], Tensor]
    class_weights: Tensor | None
    seed: int


def task_of(
    training: Training,
    data: PreparedSet,
    learnt: Material,
    network: nn.Module,
    augment: Augment,
    scale: dict[str, list[float]],
    device: torch.device,
) -> Task:
    """The task of a training.

    Args:
        training: its model and seed.
        data: the prepared set, whose validation split is taken.
        learnt: what is trained on.
        network: on the device.
        augment: of images, as of `ImageInputs`.
        scale: `mean` and `std` of the inputs.
        device: where batches are wanted.
    """
    about, model, seed = data.about, training.model, training.seed
    inputs = inputs_of(about.kind, augment, scale, seed, device)
    train, val = train_and_val(training.title, data, learnt, model, device)
    counts = np.bincount(learnt.targets, minlength=len(about.class_names)).tolist()
    weights = class_weights(counts, model.train.class_weights, device)
    return Task(training.title, network, train, val, inputs.to_train, inputs.to_val, weights, seed)
