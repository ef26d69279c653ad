"""What a layer gives, holds and costs: by formula from its settings and the shape of its input, nothing is run.

Shapes are of one sample: [channels, height, width] of an image, [features] of a vector, [steps, features] of a
sequence.
Source: Stanford CS231n, Convolutional Networks, "Spatial arrangement"; of recurrent layers, torch.nn.LSTM.
"""

from math import prod
from typing import cast

from torch import nn

from stages.models.layers import StepByStep, conv_out_size

_GATES = {"LSTM": 4, "GRU": 3}  # matrices of a recurrent layer; plain ones have one
_Pair = tuple[int, int]


def output_shape(layer: nn.Module, given: list[int]) -> list[int] | None:
    """What comes out where `given` goes in; None of a layer whose formula is not known here.

    Height and width by floor((W - F + 2P) / S) + 1, of convolutions and of pooling; the depth is the number of filters.
    """
    if type(layer) is nn.Conv2d and not isinstance(layer.padding, str):
        return [layer.out_channels, *_sizes(layer, given[1:])]
    if type(layer) is nn.MaxPool2d and not layer.ceil_mode:
        return [given[0], *_sizes(layer, given[1:])]
    if type(layer) is nn.AvgPool2d and not layer.ceil_mode:
        return [given[0], *_sizes(layer, given[1:])]
    if type(layer) is nn.Linear:
        return [*given[:-1], layer.out_features]
    if isinstance(layer, nn.RNNBase):
        return [*given[:-1], _directions(layer) * layer.hidden_size]
    return None


def parameters(layer: nn.Module) -> tuple[int, int]:
    """Weights and biases of a layer itself, apart.

    K filters of F x F over a depth of D have K F F D weights (in g groups each sees D / g) and K biases.
    """
    if isinstance(layer, nn.Conv2d):
        weights = layer.out_channels * prod(layer.kernel_size) * layer.in_channels // layer.groups
        return weights, 0 if layer.bias is None else layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features * layer.in_features, 0 if layer.bias is None else layer.out_features
    if isinstance(layer, nn.RNNBase) and not layer.proj_size:
        return _recurrent(layer)
    own = [(name, parameter.numel()) for name, parameter in layer.named_parameters(recurse=False)]
    biases = sum(size for name, size in own if "bias" in name)
    return sum(size for _, size in own) - biases, biases


def multiply_adds(layer: nn.Module, output: list[int]) -> int:
    """Multiplications with a following addition for one sample: every weight once at each place of the output.

    Places are pixels of a convolution's output and steps of a sequence. Layers without a matrix count as 0. Attention
    (Vaswani et al., arXiv 1706.03762) has four matrices, and compares each step with each, twice.
    """
    if isinstance(layer, nn.Conv2d):
        return parameters(layer)[0] * prod(output[1:])
    if isinstance(layer, nn.MultiheadAttention):
        steps, width = prod(output[:-1]), layer.embed_dim
        return 4 * steps * width**2 + 2 * steps**2 * width
    if isinstance(layer, nn.Linear | nn.RNNBase | StepByStep):
        return parameters(layer)[0] * prod(output[:-1])
    return 0


def _sizes(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, given: list[int]) -> list[int]:
    """Height and width; a dilated filter reaches as far as a larger one."""
    kernel, stride, padding, dilation = (
        _pair(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    return [
        conv_out_size(size, dilation[axis] * (kernel[axis] - 1) + 1, stride[axis], padding[axis])
        for axis, size in enumerate(given)
    ]


def _pair(value: object) -> _Pair:
    return cast(_Pair, value) if isinstance(value, tuple) else (cast(int, value), cast(int, value))


def _directions(layer: nn.RNNBase) -> int:
    return 2 if layer.bidirectional else 1


def _recurrent(layer: nn.RNNBase) -> tuple[int, int]:
    """For each gate: a matrix from the input, one from the state, and a bias of each; layers stand on each other."""
    gates, hidden, directions = _GATES.get(layer.mode, 1), layer.hidden_size, _directions(layer)
    inputs = [layer.input_size, *[directions * hidden] * (layer.num_layers - 1)]
    weights = sum(directions * gates * hidden * (size + hidden) for size in inputs)
    return weights, len(inputs) * directions * gates * 2 * hidden if layer.bias else 0
