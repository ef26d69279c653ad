"""How the weights of linear and convolution layers are drawn before training.

Sources: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010, on
the scale 1/sqrt(n); He et al. 2015, arXiv 1502.01852, on torch's default.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

_DRAWS: dict[str, Callable[[Tensor, float], Tensor]] = {  # a weight and 1/sqrt(n), n being the inputs of a unit
    "zeros": lambda weight, scale: weight.zero_(),
    "ones": lambda weight, scale: weight.fill_(1.0),
    "uniform": lambda weight, scale: weight.uniform_(0.0, 1.0),
    "uniform-half": lambda weight, scale: weight.uniform_(-0.5, 0.5),
    "uniform-fan-in": lambda weight, scale: weight.uniform_(-scale, scale),
    "normal-fan-in": lambda weight, scale: weight.normal_(0.0, scale),
}


@torch.no_grad()
def initialize(network: nn.Module, initialization: str) -> None:
    """Draw the weights anew from torch's generator, with biases of 0; `default` leaves the network as torch made it."""
    if initialization == "default":
        return
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            _DRAWS[initialization](module.weight, module.weight[0].numel() ** -0.5)
            if module.bias is not None:
                module.bias.zero_()
