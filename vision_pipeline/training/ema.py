"""A moving average of a network's weights, which often generalises better than the weights of any one step.

Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992.
"""

from copy import deepcopy

import torch
from torch import nn


class ModelEma:
    """An exponential moving average of weights and batch-norm statistics, stored in `network`.

    Args:
        network: network whose weights are averaged; it is copied.
        decay: share of the average that is kept at each step, 0 to 1.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.network = deepcopy(network).requires_grad_(False)
        self._decay = decay

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Add the weights after step `step` of the training, from 0, to the average.

        Early averages forget faster, or the initial weights would stay in them: their decay is at most
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
