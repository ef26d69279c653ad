"""Layers that several architectures use: the fully connected stack, dropout, activations, and layer sizes."""

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from vision_pipeline.config.fields import did_you_mean

_ACTIVATIONS: dict[str, type[nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}


def get_activation(name: str) -> nn.Module:
    """Return the activation layer of a name.

    Raises:
        ValueError: there is none of that name.
    """
    if name not in _ACTIVATIONS:
        raise ValueError(f"activation is {name!r}; {did_you_mean(name, list(_ACTIVATIONS))}")
    return _ACTIVATIONS[name]()


def compute_output_size(w: int, f: int, s: int, p: int) -> int:
    """Compute the size of a convolution's or pooling's output along one axis: floor((W - F + 2P) / S) + 1.

    Args:
        w: size of the input, pixels.
        f: size of the filter.
        s: stride, at least 1.
        p: padding on each side.

    Raises:
        ValueError: the filter is larger than the padded input.
    """
    if w - f + 2 * p < 0:
        raise ValueError(f"a filter of {f} does not fit an input of {w} with a padding of {p}")
    return (w - f + 2 * p) // s + 1


def make_linears(sizes: list[int]) -> nn.ModuleList:
    """Return a fully connected layer between each size and the next."""
    return nn.ModuleList(nn.Linear(in_features, out_features) for in_features, out_features in pairwise(sizes))


class RecurrentLayer(nn.Module):
    """A layer with its own matrices that processes each step of a sequence, (N, T, D) to (N, T, H)."""


class Dropout(nn.Dropout):
    """Dropout with masks of 16 random bits for each value, so that its share `p` is rounded to 1/65,536.

    On a CPU torch draws a whole random number for each value, which takes a tenth of a small network's training.
    Source: Srivastava et al., Dropout, JMLR 15 (2014).
    """

    def forward(self, values: Tensor) -> Tensor:
        """Set a share of the values to 0 and scale the others up; return them unchanged in evaluation mode."""
        threshold = min(round(self.p * 2**16), 2**16 - 1)  # 1 would leave nothing to scale up
        if not self.training or threshold == 0:
            return values
        random_bits = torch.empty(-(-values.numel() // 4), dtype=torch.int64, device=values.device).random_(
            -(2**63), None
        )
        keep_mask = random_bits.view(torch.int16)[: values.numel()].view(values.shape) >= threshold - 2**15
        return values * keep_mask.to(values.dtype).mul_(2**16 / (2**16 - threshold))


class MLP(nn.Module):
    """Fully connected layers: flatten, then [linear, batch norm, activation, dropout] for each hidden size, output.

    Without hidden layers it is logistic regression. Its weights are named `hidden_layers.{i}.{weight,bias}`,
    `norms.{i}...` and `output.{weight,bias}`.
    """

    def __init__(self, in_features: int, classes: int, settings: dict[str, Any], batch_norm: bool) -> None:
        """Create the layers.

        Args:
            in_features: values of an input.
            classes: the number of logits.
            settings: `hidden`, `activation` and `dropout`.
            batch_norm: with a batch norm after each hidden layer.
        """
        super().__init__()
        sizes = [in_features, *settings["hidden"]]
        self.hidden_layers = make_linears(sizes)
        self.norms = nn.ModuleList(nn.BatchNorm1d(size) for size in sizes[1:] if batch_norm)
        self.output = nn.Linear(sizes[-1], classes)
        self.activation = get_activation(settings["activation"])
        self.dropout = Dropout(settings["dropout"])

    def forward(self, inputs: Tensor) -> Tensor:
        """Compute raw logits (N, classes) of float (N, ...)."""
        values = inputs.flatten(1)
        for index, layer in enumerate(self.hidden_layers):
            values = layer(values)
            if self.norms:
                values = self.norms[index](values)
            values = self.dropout(self.activation(values))
        logits: Tensor = self.output(values)
        return logits
