"""A look into every layer of a network, at the same few training inputs each time; it changes nothing."""

import math
from collections import defaultdict
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial

import torch
from torch import Tensor, nn

from stages.compute.inference import evaluating
from stages.training.layer_figures import Layer
from stages.training.loss import Goal, mean_loss
from stages.training.task import Task

MOST_ROWS = 256
_FLAT = 0.01  # a derivative below it lets hardly any of the gradient through
_Found = dict[str, list[Tensor]]  # by layer, float32 ()


def probe(task: Task, epoch: int, rows: int) -> list[Layer]:
    """Each layer that trains: in evaluation mode, without augmentation, in full precision.

    A layer is a module with matrices or filters of its own; the activations up to the next layer belong to it.
    Gradients are asked for, not accumulated; no random number is drawn.

    Args:
        task: network and data.
        epoch: after which it is; 0: before the first step.
        rows: of the first training inputs; at most `MOST_ROWS` are looked at.
    """
    network, layers = task.network, _layers(task.network)
    inputs, targets = task.train.sample(min(rows, MOST_ROWS))
    with evaluating(network), _differentiable(network), _listening(network, layers) as (saturated, dead):
        logits = network(task.to_val(inputs)).float().flatten(0, -2)
        norms = _gradient_norms(mean_loss(logits, Goal(targets), task.class_weights, 0.0), layers)
    none = torch.full_like(logits[0, 0], math.nan)
    found = [torch.stack([_mean(kind[name], none) for kind in (norms, saturated, dead)]) for name in norms]
    table = torch.stack(found).tolist()  # the device is waited for once
    return [Layer(epoch, name, row[0], *map(_given, row[1:])) for name, row in zip(norms, table, strict=True)]


def _layers(network: nn.Module) -> dict[str, list[nn.Parameter]]:
    """The layers' matrices and filters, frozen ones too, by name."""
    own = {name: list(module.parameters(recurse=False)) for name, module in network.named_modules()}
    matrices = {name: [one for one in parameters if one.ndim > 1] for name, parameters in own.items()}
    return {name: parameters for name, parameters in matrices.items() if parameters}


def _differentiable(network: nn.Module) -> AbstractContextManager[None]:
    """cuDNN's recurrent layers have no gradients in evaluation mode, torch's own have."""
    if any(isinstance(module, nn.RNNBase) for module in network.modules()):
        return torch.backends.cudnn.flags(enabled=False)
    return nullcontext()


def _gradient_norms(loss: Tensor, layers: dict[str, list[nn.Parameter]]) -> _Found:
    trained = {name: [one for one in own if one.requires_grad] for name, own in layers.items()}
    weights = [one for own in trained.values() for one in own]
    gradients = iter(torch.autograd.grad(loss, weights, materialize_grads=True, allow_unused=True))
    return {name: [_norm([next(gradients) for _ in own])] for name, own in trained.items() if own}


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.stack([tensor.norm() for tensor in tensors]).norm()


def _mean(values: list[Tensor], none: Tensor) -> Tensor:
    return torch.stack(values).mean() if values else none


def _given(figure: float) -> float | None:
    return None if math.isnan(figure) else figure


@contextmanager
def _listening(network: nn.Module, layers: dict[str, list[nn.Parameter]]) -> Iterator[tuple[_Found, _Found]]:
    """Fill in, as the network computes, the shares of saturated answers and of dead units by layer."""
    saturated: _Found = defaultdict(list)
    dead: _Found = defaultdict(list)
    passed = [""]  # layers so far; an activation belongs to the last

    def pass_by(name: str, *_: object) -> None:
        passed.append(name)

    def hear(module: nn.Module, inputs: object, answer: Tensor) -> None:
        answer = answer.detach()
        if isinstance(module, nn.ReLU):
            dead[passed[-1]].append(_dead(answer))
        else:
            slope = answer * (1 - answer) if isinstance(module, nn.Sigmoid) else 1 - answer**2
            saturated[passed[-1]].append((slope < _FLAT).float().mean())

    hooks = []
    for name, module in network.named_modules():
        if name in layers:
            hooks.append(module.register_forward_hook(partial(pass_by, name)))
        elif isinstance(module, nn.Sigmoid | nn.Tanh | nn.ReLU):
            hooks.append(module.register_forward_hook(hear))
    try:
        yield saturated, dead
    finally:
        for hook in hooks:
            hook.remove()


def _dead(answer: Tensor) -> Tensor:
    """Share of the units, or of the filters of (N, filters, H, W), whose every answer is 0."""
    units = answer.movedim(1 if answer.ndim == 4 else -1, 0).flatten(1)
    return (units == 0).all(1).float().mean()
