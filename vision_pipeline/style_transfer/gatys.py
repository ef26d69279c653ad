"""Style transfer by optimising the pixels of one picture; Gram matrices represent the style.

Source: Gatys, Ecker & Bethge, A Neural Algorithm of Artistic Style, arXiv 1508.06576. Divisors and defaults are
the deep-learning nanodegree's; its course gives the losses for two pictures.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

Activations = Callable[[Tensor], tuple[dict[str, Tensor], Tensor]]


@dataclass(frozen=True)
class LossWeights:
    """The weights of the loss terms.

    Attributes:
        content: of the content's loss.
        style: of the sum of the layers' style losses.
        layers: of each layer's style loss, by the layer's name.
    """

    content: float
    style: float
    layers: dict[str, float]


def gram_matrix(features: Tensor) -> Tensor:
    """Compute F F^T of float (1, C, H, W) as F (C, H W): float (C, C), symmetric, positive semi-definite."""
    flat = features.flatten(2).squeeze(0)
    return flat @ flat.T


def optimize_image(
    content: Tensor, style: Tensor, activations: Activations, *, weights: LossWeights, steps: int, lr: float
) -> Iterator[tuple[Tensor, float]]:
    """Change the content's pixels by Adam, step by step, towards the style of the other picture.

    Pixels are clamped to 0 and 1 after each step, so that the loss is that of a picture that can be shown; the source
    clamps only the result.

    Args:
        content: float (1, 3, H, W) on the scale 0 to 1, also the initial picture.
        style: likewise, of the same size.
        activations: takes such a picture; returns the activations of the style layers, by name, and of the content
            layer.
        weights: of the loss.
        steps: of Adam.
        lr: learning rate of Adam, for pixels on the scale 0 to 1.

    Yields:
        After each step the picture, and the loss before the step.
    """
    with torch.no_grad():
        _, content_features = activations(content)
        grams = {name: gram_matrix(features) for name, features in activations(style)[0].items()}
    image = content.clone().requires_grad_()
    optimizer = torch.optim.Adam([image], lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        style_layers, features = activations(image)
        loss = _compute_loss(style_layers, features, content_target=content_features, grams=grams, weights=weights)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            image.clamp_(0, 1)
        yield image.detach(), loss.item()


def _compute_loss(
    style_layers: dict[str, Tensor],
    content: Tensor,
    *,
    content_target: Tensor,
    grams: dict[str, Tensor],
    weights: LossWeights,
) -> Tensor:
    loss = weights.content * (content - content_target).square().mean()
    for name, features in style_layers.items():
        gram_error = (gram_matrix(features) - grams[name]).square().mean() / features.numel()  # d h w
        loss = loss + weights.style * weights.layers[name] * gram_error
    return loss
