"""The gradient that reaches the first symbol of a sequence.

It falls exponentially with the length if the recurrent matrix's largest singular value is small.
Source: Pascanu et al., On the difficulty of training recurrent neural networks, ICML 2013, arXiv 1211.5063.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from vision_pipeline.models.recurrent import RecurrentNetwork


def first_step_grad_norm(network: RecurrentNetwork, tokens: Tensor, targets: Tensor) -> float:
    """Compute the mean norm of the gradient of the last step's loss with respect to the first step's one-hot vector.

    Args:
        network: in evaluation mode, of a text or of sequences.
        tokens: int64 (N, T).
        targets: int64 (N,), the class or the next symbol at the last step.
    """
    embedded = network.embed(tokens).requires_grad_()
    logits, _ = network.run_cells(embedded, None)
    last_logits = logits[:, -1] if logits.ndim == 3 else logits
    (gradient,) = torch.autograd.grad(cross_entropy(last_logits, targets, reduction="sum"), embedded)
    return float(gradient[:, 0].norm(dim=1).mean())
