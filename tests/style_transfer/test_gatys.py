"""Gram matrices and the loop that matches them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from vision_pipeline.style_transfer.gatys import LossWeights, gram_matrix, optimize_image


@given(st.integers(1, 12), st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
@settings(max_examples=50)
def test_a_gram_matrix_is_symmetric_and_positive_semi_definite(
    channels: int, height: int, width: int, seed: int
) -> None:
    features = torch.randn(1, channels, height, width, generator=torch.Generator().manual_seed(seed))
    gram = gram_matrix(features.double())
    assert gram.shape == (channels, channels)
    assert torch.equal(gram, gram.T) or torch.allclose(gram, gram.T, rtol=1e-12, atol=0)
    assert torch.linalg.eigvalsh(gram).min() >= -1e-10 * gram.diagonal().max()


def test_it_is_the_sum_over_places_of_products_of_channels() -> None:
    features = torch.tensor([[[[1.0, 2.0]], [[3.0, -1.0]]]])
    assert gram_matrix(features).tolist() == [[5.0, 1.0], [1.0, 10.0]]


def _activations(unit: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.Conv2d(3, 6, 3), nn.Conv2d(6, 8, 3)
    shallow = first.requires_grad_(False)(unit).relu()
    deep = second.requires_grad_(False)(shallow).relu()
    return {"shallow": shallow, "deep": deep}, deep


def _pictures() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    content = torch.rand(1, 3, 10, 14, generator=generator)
    return content, (torch.rand(1, 3, 10, 14, generator=generator) * torch.tensor([1.0, 0.2, 0.1])[:, None, None])


def test_the_loss_falls_and_pixels_stay_on_their_scale() -> None:
    content, style = _pictures()
    before = content.clone()
    weights = LossWeights(1.0, 10.0, {"shallow": 1.0, "deep": 0.5})
    seen = [
        (image.clone(), loss)
        for image, loss in optimize_image(content, style, _activations, weights=weights, steps=60, lr=0.01)
    ]
    losses = [loss for _, loss in seen]
    assert len(seen) == 60 and torch.equal(content, before)
    sampled_losses = losses[::12]
    assert sampled_losses == sorted(sampled_losses, reverse=True) and losses[-1] < 0.2 * losses[0]
    assert all(image.min() >= 0 and image.max() <= 1 for image, _ in seen)


def test_the_first_loss_is_that_of_the_content_itself() -> None:
    """Its content's loss is 0; a layer's style is the mean square of its Gram's differences over d h w."""
    content, style = _pictures()
    weights = LossWeights(1.0, 7.0, {"shallow": 1.0, "deep": 0.5})
    _, loss = next(optimize_image(content, style, _activations, weights=weights, steps=1, lr=0.01))
    here, there = _activations(content)[0], _activations(style)[0]
    parts = [
        share * (gram_matrix(here[name]) - gram_matrix(there[name])).square().mean() / here[name].numel()
        for name, share in weights.layers.items()
    ]
    assert loss == pytest.approx(7 * sum(parts).item(), rel=1e-5)


def test_without_style_nothing_changes() -> None:
    content, style = _pictures()
    weights = LossWeights(1.0, 0.0, {"shallow": 1.0, "deep": 1.0})
    *_, (image, loss) = optimize_image(content, style, _activations, weights=weights, steps=3, lr=0.01)
    assert loss == 0 and torch.equal(image, content)
