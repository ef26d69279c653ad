"""Style transfer by optimising one picture: Gram matrices are the style.

Source: Gatys, Ecker & Bethge, A Neural Algorithm of Artistic Style, arXiv 1508.06576. Divisors and defaults are the
deep-learning nanodegree's, whose losses for two pictures stand in the course.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Activations = Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]


@dataclass(frozen=True)
class LossWeights:
    """What the loss sums.

    Attributes:
        content: of the content's loss.
        style: of all layers' style together.
        layers: of each layer's style, by its name.
    """

    content: float
    style: float
    layers: dict[str, float]


def gram_matrix(features: Tensor) -> Tensor:
    """F F^T of float (1, C, H, W) as F (C, H W): float (C, C), symmetric, positive semi-definite."""
    flat = features.flatten(2).squeeze(0)
    return flat @ flat.T


def optimize_image(
    content: Tensor, style: Tensor, activations: Activations, weights: LossWeights, steps: int, lr: float
) -> Iterator[tuple[Tensor, float]]:
    """Change the content's pixels by Adam, step by step, until its style is the other picture's.

    Pixels stay between 0 and 1, so that what is scored can be seen; the source clamps only what it draws.

    Args:
        content: float (1, 3, H, W) on the scale 0 to 1, also where it starts.
        style: likewise, of the same size.
        activations: such a picture to the layers of its style, by name, and the layer of its content.
        weights: of the loss.
        steps: how many.
        lr: of Adam, on the scale 0 to 1.

    Yields:
        After each step the picture, and the loss before it.
    """
    with torch.no_grad():
        _, content_features = activations(content)
        grams = {name: gram_matrix(features) for name, features in activations(style)[0].items()}
    image = content.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = _compute_loss(*activations(image), content_features, grams, weights)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            image.clamp_(0, 1)
        yield image.detach(), loss.item()


def _compute_loss(
    style_layers: dict[str, Tensor],
    content: Tensor,
    content_target: Tensor,
    grams: dict[str, Tensor],
    weights: LossWeights,
) -> Tensor:
    loss = weights.content * (content - content_target).square().mean()
    for name, features in style_layers.items():
        gram_error = (gram_matrix(features) - grams[name]).square().mean() / features.numel()  # d h w
        loss = loss + weights.style * weights.layers[name] * gram_error
    return loss
