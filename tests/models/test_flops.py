"""Formulas of layers, against torch and against examples worked out on paper."""

from itertools import pairwise
from math import prod

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn

from vision_pipeline.models.flops import count_macs, count_weights_biases, infer_output_shape

SIZES = st.integers(1, 40)


def through(layers: list[nn.Module], shape: list[int]) -> list[list[int]]:
    """The shapes behind each layer by formula alone: torch is not asked."""
    shapes = []
    for layer in layers:
        output_shape = infer_output_shape(layer, shape)
        assert output_shape is not None
        shapes.append(shape := output_shape)
    return shapes


def numbers(layer: nn.Module) -> tuple[int, int]:
    """Count the weights and the biases of torch's own tensors."""
    sizes = {name: parameter.numel() for name, parameter in layer.named_parameters()}
    biases = sum(size for name, size in sizes.items() if name.startswith("bias"))
    return sum(sizes.values()) - biases, biases


def test_the_worked_example_of_130_pixels() -> None:
    layers = [nn.Conv2d(3, 10, 3), nn.MaxPool2d(4, 4), nn.Conv2d(10, 20, 5, padding=2), nn.MaxPool2d(2, 2)]
    shapes = through(layers, [3, 130, 130])
    assert shapes == [[10, 128, 128], [10, 32, 32], [20, 32, 32], [20, 16, 16]]
    assert prod(shapes[-1]) == 5_120
    assert nn.Sequential(*layers)(torch.zeros(1, 3, 130, 130)).shape == (1, 20, 16, 16)


def test_the_worked_example_of_200_grey_pixels() -> None:
    layers = [nn.Conv2d(1, 16, 2, stride=2), nn.Conv2d(16, 32, 3, padding=1)]
    assert through(layers, [1, 200, 200]) == [[16, 100, 100], [32, 100, 100]]
    with pytest.raises(RuntimeError, match="expected input"):  # the second takes what the first gives: 16 channels
        nn.Conv2d(1, 32, 3, padding=1)(layers[0](torch.zeros(1, 1, 200, 200)))


@pytest.mark.parametrize(
    ("layer", "weights", "biases"),
    [
        (nn.Conv2d(1, 16, 2), 64, 16),
        (nn.Conv2d(16, 32, 3), 4_608, 32),
        (nn.Conv2d(3, 10, 3), 270, 10),
        (nn.Conv2d(10, 20, 5), 5_000, 20),
        (nn.Conv2d(3, 10, 3, bias=False), 270, 0),
        (nn.Conv2d(8, 16, 3, groups=4), 288, 16),
        (nn.Linear(3, 5), 15, 5),
        (nn.BatchNorm2d(7), 7, 7),
        (nn.Embedding(65, 32), 2_080, 0),
        (nn.ReLU(), 0, 0),
    ],
)
def test_weights_and_biases_are_counted_apart(layer: nn.Module, weights: int, biases: int) -> None:
    assert count_weights_biases(layer) == numbers(layer) == (weights, biases)


def test_a_fully_connected_network_of_2_3_5_4_2_1() -> None:
    units = [2, 3, 5, 4, 2, 1]
    layers = [nn.Linear(before, after) for before, after in pairwise(units)]
    assert through(list(layers), [2]) == [[3], [5], [4], [2], [1]]
    assert layers[1].weight.shape == (5, 3)
    assert sum(sum(count_weights_biases(layer)) for layer in layers) == 66


@settings(max_examples=1000)
@given(
    size=st.tuples(SIZES, SIZES),
    depth=st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 2)),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.integers(1, 3),
    bias=st.booleans(),
)
def test_convolutions_are_as_torch_makes_them(size, depth, kernel, stride, padding, dilation, bias) -> None:
    assume(all(s + 2 * p >= dilation * (k - 1) + 1 for s, p, k in zip(size, padding, kernel, strict=True)))
    before, after, groups = depth[0] * depth[2], depth[1] * depth[2], depth[2]
    conv = nn.Conv2d(before, after, kernel, stride, padding, dilation, groups, bias)
    output_shape = list(conv(torch.zeros(1, before, *size)).shape[1:])
    assert infer_output_shape(conv, [before, *size]) == output_shape
    assert output_shape[0] == after  # the depth is the number of filters, whatever height and width are
    assert count_weights_biases(conv) == numbers(conv)
    per_place = before // groups * prod(kernel)  # each number that comes out is a sum of as many products
    assert count_macs(conv, output_shape) == prod(output_shape) * per_place


@settings(max_examples=1000)
@given(
    pool=st.sampled_from([nn.MaxPool2d, nn.AvgPool2d]),
    size=st.tuples(SIZES, SIZES),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 5) | st.none(),
    padding=st.integers(0, 2),
)
def test_pooling_is_as_torch_makes_it(pool, size, kernel, stride, padding) -> None:
    assume(2 * padding <= kernel <= min(size) + 2 * padding)
    layer = pool(kernel, stride, padding)
    assert infer_output_shape(layer, [3, *size]) == list(layer(torch.zeros(1, 3, *size)).shape[1:])
    assert (count_weights_biases(layer), count_macs(layer, [3, 1, 1])) == ((0, 0), 0)


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("both_ways", [False, True])
def test_recurrent_layers(kind: type[nn.RNNBase], gates: int, layers: int, both_ways: bool) -> None:
    layer = kind(6, 8, layers, batch_first=True, bidirectional=both_ways)
    assert infer_output_shape(layer, [5, 6]) == list(layer(torch.zeros(1, 5, 6))[0].shape[1:])
    assert count_weights_biases(layer) == numbers(layer)
    if layers == 1 and not both_ways:
        assert sum(count_weights_biases(layer)) == gates * (8 * 6 + 8**2 + 2 * 8)
        assert count_macs(layer, [5, 8]) == 5 * gates * (8 * 6 + 8**2)


@pytest.mark.parametrize(
    "layer", [nn.ReLU(), nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(3, 3, 3, padding="same"), nn.AdaptiveAvgPool2d(1)]
)
def test_what_has_no_formula_here_is_said(layer: nn.Module) -> None:
    assert infer_output_shape(layer, [3, 7, 7]) is None
