"""The layers of any network, in the order in which a sample meets them, with their shapes, sizes and cost."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stages.models.arithmetic import multiply_adds, output_shape, parameters
from stages.models.layers import StepByStep
from stages.models.walk import walk

_SHALLOW = 2  # hidden layers at most; a convention, no definition


@dataclass(frozen=True)
class Layer:
    """One layer at one place of a network.

    Attributes:
        name: in the network; "(itself)" where the network is one layer.
        kind: its class.
        given, output: shapes of one sample; empty of parameters that are used without a call of their layer.
        weights, biases: numbers of them, 0 where an earlier place of the same layer counts them.
        multiply_adds: for one sample.
        number: L, counted from 1, of a layer with a matrix (of the last of several, in a recurrent one); 0 of any
            other: activations, pooling and normalisation belong to the layer before them.
        dense: fully connected, from one vector to another: W[L] is n[L] x n[L-1].
    """

    name: str
    kind: str
    given: list[int]
    output: list[int]
    weights: int
    biases: int
    multiply_adds: int
    number: int
    dense: bool


def layers_of(network: nn.Module, inputs: Tensor) -> list[Layer]:
    """Every layer that `inputs` go through, then parameters of none that was met.

    A forward pass (`walk`, with the same arguments) tells the order and what each layer is given; what it gives, holds
    and costs follows by formula (`arithmetic.py`), or is the pass's own where no formula is known.
    """
    names = {module: name or "(itself)" for name, module in network.named_modules()}
    found: list[Layer] = []
    seen: set[Tensor] = set()
    count = 0
    for module, given, passed in walk(network, inputs):
        count += (more := _stacked(module))
        found.append(_layer(names[module], module, given, passed, count if more else 0, seen))
    rest = [(one, name) for one, name in names.items() if set(one.parameters(recurse=False)) - seen]
    return found + [Layer(name, type(one).__name__, [], [], *parameters(one), 0, 0, False) for one, name in rest]


def blank(shape: list[int]) -> Tensor:
    """One input of zeros as networks take it, float32 (1, ...), of a shape as stored: [height, width, channels], or
    [dimensions] of features."""
    return torch.zeros(1, *(shape[2], *shape[:2]) if len(shape) == 3 else shape)


def one_input(network: nn.Module, shape: list[int]) -> Tensor:
    """`blank`, or int64 zeros where the network reads symbols: (1, length) of a sequence, (1, 1) of a text."""
    if getattr(network, "reads_symbols", False):
        return torch.zeros(1, *(shape or [1]), dtype=torch.int64)
    return blank(shape)


def depth(layers: list[Layer]) -> tuple[int, str]:
    """The number of layers, hidden ones and the output (the input is none), and whether that is shallow or deep."""
    count = max(layer.number for layer in layers)
    return count, "shallow" if count - 1 <= _SHALLOW else "deep"


def _stacked(module: nn.Module) -> int:
    """How many layers with a matrix it is."""
    if isinstance(module, nn.RNNBase):
        return module.num_layers
    return int(isinstance(module, nn.modules.conv._ConvNd | nn.Linear | StepByStep))


def _layer(name: str, module: nn.Module, given: list[int], passed: list[int], number: int, seen: set[Tensor]) -> Layer:
    own = set(module.parameters(recurse=False))
    weights, biases = parameters(module) if own - seen else (0, 0)
    seen |= own
    output = output_shape(module, given) or passed
    dense = isinstance(module, nn.Linear) and len(output) == 1
    cost = multiply_adds(module, output)
    return Layer(name, type(module).__name__, given, output, weights, biases, cost, number, dense)
