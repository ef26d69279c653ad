"""Muon: momentum whose matrix is made orthogonal before it is taken as a step.

Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks (kellerjordan.github.io/posts/muon);
coefficients and number of the Newton-Schulz steps as in its airbench94_muon. `torch.optim.Muon` takes matrices
only; here a filter bank (out, in, height, width) is the matrix (out, in * height * width).
"""

import torch
from torch import Tensor, nn

from vision_pipeline.training.fused_optimizers import LearningRate, collect_grads

_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_NEWTON_SCHULZ_STEPS = 3


class Muon:
    """Nesterov momentum made orthogonal; weights keep the norm of an orthogonal matrix, the root of their rows."""

    def __init__(self, parameters: list[nn.Parameter], momentum: float) -> None:
        self.parameters, self._momentum = parameters, momentum
        self.state = [torch.zeros_like(weight) for weight in parameters]

    @torch.no_grad()
    def step(self, lr: LearningRate) -> None:
        """Update every weight."""
        for weight, gradient, momentum_buffer in zip(
            self.parameters, collect_grads(self.parameters), self.state, strict=True
        ):
            momentum_buffer.mul_(self._momentum).add_(gradient)
            update = newton_schulz(gradient.add(momentum_buffer, alpha=self._momentum).flatten(1))
            weight.mul_(len(weight) ** 0.5 / weight.norm())
            weight.sub_(lr * update.view_as(weight))


def newton_schulz(matrix: Tensor) -> Tensor:
    """Nearly the nearest orthogonal matrix: singular values between about 0.5 and 1.5, the same directions.

    Newton-Schulz steps in bfloat16, which is enough for a step's direction.

    Args:
        matrix: float (rows, columns).
    """
    a, b, c = _COEFFICIENTS
    wide = matrix.bfloat16() if len(matrix) <= matrix.shape[1] else matrix.bfloat16().T
    wide = wide / (wide.norm() + 1e-7)
    for _ in range(_NEWTON_SCHULZ_STEPS):
        squared = wide @ wide.T
        polynomial = torch.addmm(squared, squared, squared, beta=b, alpha=c)
        wide = torch.addmm(wide, polynomial, wide, beta=a)
    return (wide if len(matrix) <= matrix.shape[1] else wide.T).to(matrix.dtype)
