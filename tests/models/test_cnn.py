"""The convolutional network."""

import pytest
import torch
from torch import nn

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.build import build_model, count_parameters

SEED = {
    "channels": [16, 32, 64],
    "kernel": 3,
    "padding": 1,
    "hidden": [500],
    "activation": "relu",
    "dropout": 0.25,
    "batch_norm": False,
}


def cnn(shape: list[int], **changes: object) -> nn.Module:
    return build_model("cnn", {**SEED, **changes}, shape, 10)


def test_the_courses_network_has_its_parameters() -> None:
    network = cnn([32, 32, 3])
    assert count_parameters(network) == (541_094, 541_094)
    weights = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    sizes = [layer.weight.numel() + layer.bias.numel() for layer in weights]
    assert sizes == [448, 4_640, 18_496, 512_500, 5_010]


def test_names_and_shapes() -> None:
    network = cnn([28, 28, 1], batch_norm=True)
    names = list(network.state_dict())
    assert names[:2] == ["convs.0.weight", "convs.0.bias"]
    assert "norms.2.running_var" in names
    assert names[-4:] == ["hidden_layers.0.weight", "hidden_layers.0.bias", "output.weight", "output.bias"]
    assert network.convs[1].weight.shape == (32, 16, 3, 3)
    assert network.convs[1].stride == (1, 1)
    assert network.hidden_layers[0].in_features == 64 * 3 * 3  # 28, 14, 7, 3


@pytest.mark.parametrize("shape", [[32, 32, 3], [28, 28, 1], [33, 47, 3]])
@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (5, 2), (2, 0), (1, 0)])
def test_any_size_that_fits_gives_logits(shape: list[int], kernel: int, padding: int) -> None:
    network = cnn(shape, kernel=kernel, padding=padding)
    assert network(torch.zeros(2, shape[2], shape[0], shape[1])).shape == (2, 10)


def test_the_convolutions_have_torchs_defaults() -> None:
    for channels in (3, 1):
        first = cnn([32, 32, channels], padding=0).convs[0]
        assert (first.stride, first.padding) == ((1, 1), (0, 0))
        assert first.weight.shape == (16, channels, 3, 3)


def test_no_hidden_layer_is_allowed() -> None:
    assert cnn([32, 32, 3], hidden=[])(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_a_network_that_shrinks_to_nothing_is_refused() -> None:
    message = r"channels \[16, 32, 64\] with kernel 5 and padding 0 leave nothing of images of 8x8 "
    with pytest.raises(ConfigError, match=message):
        cnn([8, 8, 3], kernel=5, padding=0)


def test_features_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"a cnn takes images; these inputs have shape \[1024\]"):
        cnn([1024])


def test_activation_and_pooling_may_change_places() -> None:
    maps, pool = torch.randn(2, 3, 8, 8), nn.MaxPool2d(2, 2)
    assert torch.equal(pool(torch.relu(maps)), torch.relu(pool(maps)))
    assert pool(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item() == 4


def test_logits_are_the_same_in_either_memory_layout() -> None:
    network, images = cnn([32, 32, 3], batch_norm=True).eval(), torch.randn(2, 3, 32, 32)
    expected = network(images)
    logits = network.to(memory_format=torch.channels_last)(images.to(memory_format=torch.channels_last))
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("activation", ["relu", "leaky_relu"])
def test_pooling_before_the_activation_changes_neither_scores_nor_gradients(activation: str) -> None:
    pooled_first, images = cnn([32, 32, 3], activation=activation, dropout=0.0), torch.randn(8, 3, 32, 32)
    torch.manual_seed(0)
    results = []
    assert pooled_first.pool_first
    for first in (True, False):
        pooled_first.pool_first = first
        pooled_first.zero_grad()
        logits = pooled_first(images)
        logits.square().sum().backward()
        results.append([logits.detach(), *(parameter.grad.clone() for parameter in pooled_first.parameters())])
    assert all(torch.equal(first, second) for first, second in zip(*results, strict=True))


def test_activations_that_also_fall_come_before_the_pooling() -> None:
    assert not any(cnn([32, 32, 3], activation=name).pool_first for name in ("gelu", "silu"))
