"""Layer arithmetic and the dense stack."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from vision_pipeline.models.layers import Dropout, compute_output_size, get_activation


@pytest.mark.parametrize(
    ("w", "f", "s", "p", "out"),
    [
        (7, 3, 1, 0, 5),
        (7, 3, 2, 0, 3),
        (200, 2, 2, 0, 100),
        (100, 3, 1, 1, 100),
        (130, 3, 1, 0, 128),
        (32, 5, 1, 2, 32),
    ],
)
def test_the_output_size_of_known_examples(w: int, f: int, s: int, p: int, out: int) -> None:
    assert compute_output_size(w, f, s, p) == out


@settings(max_examples=1000)
@given(st.integers(1, 64), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4))
def test_the_output_size_is_what_torch_makes(w: int, f: int, s: int, p: int) -> None:
    conv = nn.Conv2d(1, 1, f, stride=s, padding=p)
    if w + 2 * p < f:
        with pytest.raises(ValueError, match=f"a filter of {f} does not fit an input of {w}"):
            compute_output_size(w, f, s, p)
    else:
        size = compute_output_size(w, f, s, p)
        assert conv(torch.zeros(1, 1, w, w)).shape == (1, 1, size, size)


def test_an_unknown_activation_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="activation is 'rellu'; did you mean 'relu'"):
        get_activation("rellu")


@pytest.mark.parametrize("share", [0.999999, 1 - 2**-53])
def test_dropout_of_nearly_all_stays_finite(share: float) -> None:
    assert Dropout(share).train()(torch.ones(1000, 999)).max().item() in (0, 2**16)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.25, 0.9])
def test_dropout_zeroes_a_share_and_keeps_the_mean(share: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(share).train()(torch.ones(1000, 999))
    assert (dropped == 0).float().mean().item() == pytest.approx(share, abs=2e-3)
    assert dropped.mean().item() == pytest.approx(1, abs=6e-3)
    assert dropped.max().item() == pytest.approx(1 / (1 - share), rel=1e-4)
    assert len(dropped.unique()) <= 2


@pytest.mark.parametrize("count", [1, 3, 4, 5])
def test_the_masks_of_neighbours_are_independent(count: int) -> None:
    torch.manual_seed(0)
    layer = Dropout(0.5).train()
    kept = torch.stack([layer(torch.ones(count)) > 0 for _ in range(4000)]).float()
    correlation = (kept - 0.5).T @ (kept - 0.5) / len(kept) * 4
    assert (correlation - torch.eye(count)).abs().max() < 0.08


def test_dropout_passes_gradients_where_it_passes_values() -> None:
    torch.manual_seed(0)
    values = torch.ones(64, requires_grad=True)
    dropped = Dropout(0.25).train()(values)
    dropped.sum().backward()
    assert torch.equal(values.grad, dropped.detach())


def test_dropout_does_nothing_in_evaluation_and_draws_from_the_global_generator() -> None:
    values, layer = torch.randn(8), Dropout(0.5)
    assert layer.eval()(values) is values
    layer.train()
    torch.manual_seed(3)
    first = layer(values)
    torch.manual_seed(3)
    assert torch.equal(layer(values), first)
    assert not torch.equal(layer(values), first)
