"""SGD and Adam as one fused update by torch's own functions, and the interface of such an optimizer.

`torch.optim`'s classes around these functions import the compiler when the first is made: 1.3 s of every training, in
which mnist-mlp trains an epoch.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.sgd import sgd

# A tensor, float32 (), on the GPU where a step is captured as a CUDA graph: a number would be captured with it.
LearningRate = float | Tensor

_BETAS, _EPSILON = (0.9, 0.999), 1e-8  # torch's defaults


class GroupOptimizer(Protocol):
    """The optimizer of one group of parameters; `state` is all that later steps depend on, changed in place."""

    parameters: list[nn.Parameter]
    state: list[Tensor]

    def step(self, lr: LearningRate) -> None:
        """Update the parameters by their gradients."""


def collect_grads(parameters: list[nn.Parameter]) -> list[Tensor]:
    """Return the gradient of each parameter.

    Raises:
        ValueError: a parameter has none, because the loss does not depend on it.
    """
    grads = [weight.grad for weight in parameters if weight.grad is not None]
    if len(grads) < len(parameters):
        raise ValueError("the loss does not depend on every trainable parameter")
    return grads


class FusedSGD:
    """Stochastic gradient descent, with Nesterov momentum where `momentum` is above 0."""

    def __init__(self, parameters: list[nn.Parameter], momentum: float, weight_decay: float) -> None:
        self.parameters, self.momentum, self.weight_decay = parameters, momentum, weight_decay
        self.state: list[Tensor] = [torch.zeros_like(weight) for weight in parameters] if momentum else []

    @torch.no_grad()
    def step(self, lr: LearningRate) -> None:
        """Update the parameters by their gradients."""
        momentum_buffers: list[Tensor | None] = [*self.state] if self.state else [None] * len(self.parameters)
        sgd(
            [*self.parameters], collect_grads(self.parameters), momentum_buffers, fused=True, has_sparse_grad=False,
            lr=lr, momentum=self.momentum, weight_decay=self.weight_decay, nesterov=self.momentum > 0,
            dampening=0.0, maximize=False,
        )  # fmt: skip


class FusedAdam:
    """Adam (arXiv 1412.6980), or with `decoupled` weight decay AdamW (arXiv 1711.05101)."""

    def __init__(
        self,
        parameters: list[nn.Parameter],
        weight_decay: float,
        decoupled: bool,
        betas: tuple[float, float] = _BETAS,
    ) -> None:
        self.betas = betas
        self.parameters, self.weight_decay, self.decoupled = parameters, weight_decay, decoupled
        step_counts = [torch.zeros((), device=weight.device) for weight in parameters]
        self.state = [*step_counts, *(torch.zeros_like(weight) for _ in range(2) for weight in parameters)]

    @torch.no_grad()
    def step(self, lr: LearningRate) -> None:
        """Update the parameters by their gradients."""
        num_parameters = len(self.parameters)
        step_counts, exp_avgs, exp_avg_sqs = (
            self.state[start : start + num_parameters] for start in range(0, 3 * num_parameters, num_parameters)
        )
        adam(
            [*self.parameters], collect_grads(self.parameters), exp_avgs, exp_avg_sqs, [], step_counts, fused=True,
            lr=lr, beta1=self.betas[0], beta2=self.betas[1], eps=_EPSILON, weight_decay=self.weight_decay,
            decoupled_weight_decay=self.decoupled, amsgrad=False, maximize=False,
        )  # fmt: skip
