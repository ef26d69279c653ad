"""Layer arithmetic and the dense stack."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stages.models.layers import activation, conv_out_size


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
    assert conv_out_size(w, f, s, p) == out


@settings(max_examples=1000)
@given(st.integers(1, 64), st.integers(1, 9), st.integers(1, 5), st.integers(0, 4))
def test_the_output_size_is_what_torch_makes(w: int, f: int, s: int, p: int) -> None:
    conv = nn.Conv2d(1, 1, f, stride=s, padding=p)
    if w + 2 * p < f:
        with pytest.raises(ValueError, match=f"a filter of {f} does not fit an input of {w}"):
            conv_out_size(w, f, s, p)
    else:
        size = conv_out_size(w, f, s, p)
        assert conv(torch.zeros(1, 1, w, w)).shape == (1, 1, size, size)


def test_an_unknown_activation_is_named_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="activation is 'rellu'; did you mean 'relu'"):
        activation("rellu")
