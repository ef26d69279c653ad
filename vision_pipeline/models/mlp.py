"""Fully connected network over all pixels; without hidden layers it is logistic regression."""

from math import prod
from typing import Any

from torch import nn

from vision_pipeline.models.layers import MLP


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """An MLP of `settings` hidden, activation, dropout, batch_norm; its input size follows from `input_shape`."""
    return MLP(prod(input_shape), classes, settings, settings["batch_norm"])
