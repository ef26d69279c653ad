"""A moving average of a network's weights, which often generalises better than the weights of any one step.

Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
"""

from copy import deepcopy

import torch
from torch import nn


class ModelEma:
    """An exponential moving average of weights and batch-norm statistics; `network` holds it."""

    def __init__(self, network: nn.Module, decay: float) -> None:
        """`decay` is the share of the average that a step leaves, 0 to 1."""
        self.network = deepcopy(network).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Take in the weights after step `step` of the training, from 0.

        Early averages forget faster, or they would hold on to the initial weights: their decay is at most
        (1 + step) / (10 + step), as in TensorFlow's ExponentialMovingAverage.
        """
        decay = min(self._decay, (1 + step) / (10 + step))
        ema_state, new_state = self.network.state_dict(), network.state_dict()
        float_names = [name for name, tensor in ema_state.items() if tensor.is_floating_point()]
        torch._foreach_lerp_(
            [ema_state[name] for name in float_names], [new_state[name] for name in float_names], 1 - decay
        )
        for name in ema_state.keys() - set(float_names):
            ema_state[name].copy_(new_state[name])
