"""The layers of a network in the order in which a sample meets them, as a forward pass finds them."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from stages.compute.inference import evaluating


class Met(NamedTuple):
    """A layer that was called, and the shapes of one sample that went in and came out; empty of what is no tensor."""

    layer: nn.Module
    given: list[int]
    passed: list[int]


def walk(network: nn.Module, inputs: Tensor) -> list[Met]:
    """Every call of a layer, in the order in which the calls begin; weights, modes and generators stay as they are.

    Layers are modules that have no modules inside, or parameters of their own beside them.

    Args:
        network: on the inputs' device.
        inputs: as the network takes them, with the batch in front.
    """
    met: list[Met] = []
    under_way: list[int] = []

    def begin(layer: nn.Module, given: tuple[object, ...]) -> None:
        under_way.append(len(met))
        met.append(Met(layer, _sample(layer, given), []))

    def end(layer: nn.Module, given: tuple[object, ...], output: object) -> None:
        place = under_way.pop()
        met[place] = met[place]._replace(passed=_sample(layer, output))

    layers = [one for one in network.modules() if not list(one.children()) or list(one.parameters(recurse=False))]
    hooks = [layer.register_forward_pre_hook(begin) for layer in layers]
    hooks += [layer.register_forward_hook(end) for layer in layers]
    try:
        with evaluating(network), torch.no_grad():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return met


def _sample(layer: nn.Module, values: object) -> list[int]:
    """The shape of one sample of the first tensor; recurrent layers may have the batch in the second place."""
    first = next(iter(values), None) if isinstance(values, tuple) else values
    if not isinstance(first, Tensor):
        return []
    batch = 1 if isinstance(layer, nn.RNNBase) and not layer.batch_first and first.ndim == 3 else 0
    return [size for axis, size in enumerate(first.shape) if axis != batch]
