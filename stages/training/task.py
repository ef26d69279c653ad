"""What is to be trained: a network, its data, and what becomes of a batch."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from stages.training.batches import Batch, Rows
from stages.training.streams import Passage, Streams


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
