"""Statistics of every layer of a network on the same few training inputs each time; measuring changes nothing."""

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from vision_pipeline.runtime.inference import eval_mode
from vision_pipeline.training.losses import MixedTargets, cross_entropy_loss
from vision_pipeline.training.results import LayerStats
from vision_pipeline.training.task import TrainTask

MAX_PROBE_ROWS = 256
_SATURATED_DERIVATIVE = 0.01  # a derivative below it passes on hardly any of the gradient

_TensorsByLayer = dict[str, list[Tensor]]  # by layer, float32 ()


def collect_layer_stats(task: TrainTask, epoch: int, rows: int) -> list[LayerStats]:
    """Return the statistics of each layer that trains, in evaluation mode, without augmentation, in full precision.

    A layer is a module with matrices or filters of its own; the activations up to the next layer belong to it.
    Gradients are computed without being accumulated; no random number is drawn.

    Args:
        task: network and data.
        epoch: number of the epoch after which the network is measured; 0 is before the first step.
        rows: number of the first training inputs to use; at most `MAX_PROBE_ROWS` are used.
    """
    network, layers = task.network, _find_layers(task.network)
    inputs, targets = task.train.head(min(rows, MAX_PROBE_ROWS))
    with eval_mode(network), _allow_rnn_gradients(network), _activation_hooks(network, layers) as (saturated, dead):
        logits = network(task.eval_transform(inputs)).float().flatten(0, -2)
        norms = _compute_gradient_norms(
            cross_entropy_loss(logits, MixedTargets(targets), task.class_weights, 0.0), layers
        )
    nan = torch.full_like(logits[0, 0], math.nan)
    layer_rows = [
        torch.stack([_compute_mean(statistic[name], nan) for statistic in (norms, saturated, dead)]) for name in norms
    ]
    table = torch.stack(layer_rows).tolist()  # waits for the device once
    return [
        LayerStats(epoch, name, norm, saturated=_nan_to_none(saturated_share), dead=_nan_to_none(dead_share))
        for name, (norm, saturated_share, dead_share) in zip(norms, table, strict=True)
    ]


def _find_layers(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Return the matrices and filters of each layer, frozen ones too, by the layer's name."""
    parameters_by_module = {name: list(module.parameters(recurse=False)) for name, module in network.named_modules()}
    matrices = {
        name: [parameter for parameter in parameters if parameter.ndim > 1]
        for name, parameters in parameters_by_module.items()
    }
    return {name: parameters for name, parameters in matrices.items() if parameters}


def _allow_rnn_gradients(network: nn.Module) -> AbstractContextManager[None]:
    """Return a context without cuDNN, whose recurrent layers have no gradients in evaluation mode; torch's own have."""
    if any(isinstance(module, nn.RNNBase) for module in network.modules()):
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def _compute_gradient_norms(loss: Tensor, layers: dict[str, list[nn.Parameter]]) -> _TensorsByLayer:
    trained_layers = {
        name: [parameter for parameter in layer_weights if parameter.requires_grad]
        for name, layer_weights in layers.items()
    }
    weights = [parameter for layer_weights in trained_layers.values() for parameter in layer_weights]
    gradients = iter(torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True))
    return {
        name: [_compute_norm([next(gradients) for _ in layer_weights])]
        for name, layer_weights in trained_layers.items()
        if layer_weights
    }


def _compute_norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([tensor.norm() for tensor in tensors]).norm()


def _compute_mean(values: list[Tensor], nan: Tensor) -> Tensor:
    return torch.stack(values).mean() if values else nan


def _nan_to_none(value: float) -> float | None:
    return None if math.isnan(value) else value


@contextmanager
def _activation_hooks(
    network: nn.Module, layers: dict[str, list[nn.Parameter]]
) -> Iterator[tuple[_TensorsByLayer, _TensorsByLayer]]:
    """Yield the shares of saturated activations and of dead units by layer, filled in as the network computes."""
    saturated: _TensorsByLayer = defaultdict(list)
    dead: _TensorsByLayer = defaultdict(list)
    layers_run = [""]  # the layers so far; an activation belongs to the last

    def on_layer(name: str, *_: object) -> None:
        layers_run.append(name)

    def on_activation(module: nn.Module, inputs: object, output: Tensor) -> None:
        output = output.detach()
        if isinstance(module, nn.ReLU):
            dead[layers_run[-1]].append(_compute_dead_share(output))
        else:
            derivative = output * (1 - output) if isinstance(module, nn.Sigmoid) else 1 - output**2
            saturated[layers_run[-1]].append((derivative < _SATURATED_DERIVATIVE).float().mean())

    hooks = []
    for name, module in network.named_modules():
        if name in layers:
            hooks.append(module.register_forward_hook(partial(on_layer, name)))
        elif isinstance(module, nn.Sigmoid | nn.Tanh | nn.ReLU):
            hooks.append(module.register_forward_hook(on_activation))
    try:
        yield saturated, dead
    finally:
        for hook in hooks:
            hook.remove()


def _compute_dead_share(output: Tensor) -> Tensor:
    """Return the share of the units, or of the filters of (N, filters, H, W), whose every activation is 0."""
    units = output.movedim(1 if output.ndim == 4 else -1, 0).flatten(1)
    return (units == 0).all(1).float().mean()
