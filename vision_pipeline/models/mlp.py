"""A fully connected network over all pixels; without hidden layers it is logistic regression."""

from math import prod
from typing import Any

from torch import nn

from vision_pipeline.models.layers import MLP


def build(settings: dict[str, Any], input_shape: list[int], classes: int) -> nn.Module:
    """Return an MLP.

    Args:
        settings: `hidden`, `activation`, `dropout` and `batch_norm`.
        input_shape: of one input; the first layer takes all its values.
        classes: the number of logits.
    """
    return MLP(prod(input_shape), classes, settings, settings["batch_norm"])
