"""How much of the gradient reaches back to a sequence's first symbol.

Source: Pascanu et al., On the difficulty of training recurrent neural networks, ICML 2013, arXiv 1211.5063: it falls
exponentially with the length where the recurrent matrix's largest singular value is small.
"""

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from vision_pipeline.models.recurrent import RecurrentNetwork


def first_step_grad_norm(network: RecurrentNetwork, tokens: Tensor, targets: Tensor) -> float:
    """The mean length of the gradient of the last step's loss with respect to the first step's one-hot vector.

    Args:
        network: in evaluation mode, of a text or of sequences.
        tokens: int64 (N, T).
        targets: int64 (N,), what the last step ought to say.
    """
    embedded = network.embed(tokens).requires_grad_()
    logits, _ = network.run_cells(embedded, None)
    last_logits = logits[:, -1] if logits.ndim == 3 else logits
    (gradient,) = torch.autograd.grad(cross_entropy(last_logits, targets, reduction="sum"), embedded)
    return float(gradient[:, 0].norm(dim=1).mean())
