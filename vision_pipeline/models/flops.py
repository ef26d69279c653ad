"""Output shape, number of weights and cost of a layer by formula, and the order in which a network calls its layers.

Shapes are of one sample: [channels, height, width] of an image, [features] of a vector, [steps, features] of a
sequence.
Source: Stanford CS231n, Convolutional Networks, "Spatial arrangement"; of recurrent layers, torch.nn.LSTM.
"""

from math import prod
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn

from vision_pipeline.models.layers import RecurrentLayer, compute_output_size
from vision_pipeline.runtime.inference import eval_mode

_NUM_GATES = {"LSTM": 4, "GRU": 3}  # matrices of a recurrent layer; plain ones have one
_Pair = tuple[int, int]


class LayerCall(NamedTuple):
    """A call of a layer, with the shapes of one sample of its input and output; [] of anything but tensors."""

    layer: nn.Module
    input_shape: list[int]
    output_shape: list[int]


def infer_output_shape(layer: nn.Module, input_shape: list[int]) -> list[int] | None:
    """Return the shape of a layer's output; None if this module has no formula for the layer.

    Height and width of convolutions and pooling are floor((W - F + 2P) / S) + 1; the depth is the number of filters.
    """
    if type(layer) is nn.Conv2d and not isinstance(layer.padding, str):
        return [layer.out_channels, *_infer_spatial_shape(layer, input_shape[1:])]
    if type(layer) is nn.MaxPool2d and not layer.ceil_mode:
        return [input_shape[0], *_infer_spatial_shape(layer, input_shape[1:])]
    if type(layer) is nn.AvgPool2d and not layer.ceil_mode:
        return [input_shape[0], *_infer_spatial_shape(layer, input_shape[1:])]
    if type(layer) is nn.Linear:
        return [*input_shape[:-1], layer.out_features]
    if isinstance(layer, nn.RNNBase):
        return [*input_shape[:-1], _count_directions(layer) * layer.hidden_size]
    return None


def count_weights_biases(layer: nn.Module) -> tuple[int, int]:
    """Return the number of weights and the number of biases of a layer, without the layers inside it.

    K filters of F x F over a depth of D have K F F D weights (in g groups each sees D / g) and K biases.
    """
    if isinstance(layer, nn.Conv2d):
        weights = layer.out_channels * prod(layer.kernel_size) * layer.in_channels // layer.groups
        return weights, 0 if layer.bias is None else layer.out_channels
    if isinstance(layer, nn.Linear):
        return layer.out_features * layer.in_features, 0 if layer.bias is None else layer.out_features
    if isinstance(layer, nn.RNNBase) and not layer.proj_size:
        return _count_recurrent_weights_biases(layer)
    param_sizes = [(name, parameter.numel()) for name, parameter in layer.named_parameters(recurse=False)]
    biases = sum(size for name, size in param_sizes if "bias" in name)
    return sum(size for _, size in param_sizes) - biases, biases


def count_macs(layer: nn.Module, output_shape: list[int]) -> int:
    """Return the multiply-adds for one sample: every weight is used once at each position of the output.

    Positions are the pixels of a convolution's output and the steps of a sequence. Layers without a matrix count as 0.
    Attention (Vaswani et al., arXiv 1706.03762) has four matrices, and compares each step with each, twice.
    """
    if isinstance(layer, nn.Conv2d):
        return count_weights_biases(layer)[0] * prod(output_shape[1:])
    if isinstance(layer, nn.MultiheadAttention):
        steps, width = prod(output_shape[:-1]), layer.embed_dim
        return 4 * steps * width**2 + 2 * steps**2 * width
    if isinstance(layer, nn.Linear | nn.RNNBase | RecurrentLayer):
        return count_weights_biases(layer)[0] * prod(output_shape[:-1])
    return 0


def _infer_spatial_shape(layer: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, input_size: list[int]) -> list[int]:
    """Return height and width of the output; a dilated filter covers as much as a larger one."""
    kernel, stride, padding, dilation = (
        _to_pair(getattr(layer, name, 1)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    return [
        compute_output_size(size, dilation[axis] * (kernel[axis] - 1) + 1, stride[axis], padding[axis])
        for axis, size in enumerate(input_size)
    ]


def _to_pair(value: object) -> _Pair:
    return cast(_Pair, value) if isinstance(value, tuple) else (cast(int, value), cast(int, value))


def _count_directions(layer: nn.RNNBase) -> int:
    return 2 if layer.bidirectional else 1


def _count_recurrent_weights_biases(layer: nn.RNNBase) -> tuple[int, int]:
    """Count for each gate of stacked layers a matrix of the input, a matrix of the state, and a bias of each."""
    gates, hidden, directions = _NUM_GATES.get(layer.mode, 1), layer.hidden_size, _count_directions(layer)
    input_sizes = [layer.input_size, *[directions * hidden] * (layer.num_layers - 1)]
    weights = sum(directions * gates * hidden * (size + hidden) for size in input_sizes)
    return weights, len(input_sizes) * directions * gates * 2 * hidden if layer.bias else 0


def trace_layers(network: nn.Module, inputs: Tensor) -> list[LayerCall]:
    """Run a forward pass and return every call of a layer, in the order in which the calls begin.

    Layers are modules without modules inside, or with parameters of their own beside these. The network's weights and
    modes and the random generators do not change.

    Args:
        network: on the inputs' device.
        inputs: as the network takes them, with the batch as the first dimension.
    """
    calls: list[LayerCall] = []
    open_calls: list[int] = []

    def begin(layer: nn.Module, call_inputs: tuple[object, ...]) -> None:
        open_calls.append(len(calls))
        calls.append(LayerCall(layer, _get_sample_shape(layer, call_inputs), []))

    def end(layer: nn.Module, call_inputs: tuple[object, ...], call_output: object) -> None:
        index = open_calls.pop()
        calls[index] = calls[index]._replace(output_shape=_get_sample_shape(layer, call_output))

    layers = [
        module for module in network.modules() if not list(module.children()) or list(module.parameters(recurse=False))
    ]
    hooks = [layer.register_forward_pre_hook(begin) for layer in layers]
    hooks += [layer.register_forward_hook(end) for layer in layers]
    try:
        with eval_mode(network), torch.no_grad():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _get_sample_shape(layer: nn.Module, values: object) -> list[int]:
    """Return the shape of one sample of the first tensor; the batch of recurrent layers may be the second dimension."""
    first = next(iter(values), None) if isinstance(values, tuple) else values
    if not isinstance(first, Tensor):
        return []
    batch_axis = 1 if isinstance(layer, nn.RNNBase) and not layer.batch_first and first.ndim == 3 else 0
    return [size for axis, size in enumerate(first.shape) if axis != batch_axis]
