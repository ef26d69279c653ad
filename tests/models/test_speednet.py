"""SpeedNet: its sizes, its whitening layer, its identity initialisation."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.build import build_model, count_parameters, init_from_data

RECORD = {"widths": [64, 256, 256], "convolutions": 2, "activation": "gelu"}


def speednet(shape: list[int] | None = None, **changes: object) -> nn.Module:
    return build_model("speednet", {**RECORD, **changes}, shape or [32, 32, 3], 10)


def test_the_records_network_has_its_parameters() -> None:
    convolutions = 24 * 64 * 9 + 64 * 64 * 9 + 64 * 256 * 9 + 3 * 256 * 256 * 9
    whitening, bias, norms, head = 24 * 3 * 4, 24, 2 * (64 + 256 + 256), 256 * 10
    trained = convolutions + bias + norms + head  # 1.97 million, as published
    assert count_parameters(speednet()) == (trained + whitening + norms, trained) == (1_972_792, 1_971_352)


@pytest.mark.parametrize("shape", [[32, 32, 3], [28, 28, 1], [33, 47, 3], [9, 9, 1]])
def test_any_size_that_fits_gives_logits(shape: list[int]) -> None:
    network = speednet(shape, widths=[8, 16, 16], convolutions=1)
    assert network(torch.zeros(2, shape[2], *shape[:2])).shape == (2, 10)


@pytest.mark.parametrize("shape", [[8, 8, 3], [32, 8, 3]])
def test_too_many_blocks_are_refused(shape: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"widths \[64, 256, 256\] have too many blocks for images of"):
        speednet(shape)


def test_features_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"a speednet takes images; these inputs have shape \[1024\]"):
        speednet([1024])


def correlated(count: int = 2000) -> torch.Tensor:
    """Smooth random images, whose neighbouring pixels and channels are alike."""
    noise = torch.randn(count, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    smooth = nn.functional.avg_pool2d(noise, 3, 1, 1)
    return smooth + smooth.mean(1, keepdim=True)


def test_whitened_patches_are_uncorrelated_with_unit_variance() -> None:
    network, images = speednet(widths=[8], convolutions=1), correlated()
    init_from_data(network, lambda count: images[:count])
    assert not network.whiten.weight.requires_grad
    with torch.no_grad():
        network.whiten.bias.zero_()
        whitened = network.whiten(images).transpose(0, 1).flatten(1)
    half = len(whitened) // 2
    covariance = whitened @ whitened.T / whitened.shape[1]
    # a bit below 1: what is added to each variance
    torch.testing.assert_close(covariance[:half, :half], torch.eye(half), atol=0.06, rtol=0)
    torch.testing.assert_close(whitened[half:], -whitened[:half])


def test_other_networks_have_nothing_to_fit() -> None:
    counts: list[int] = []
    mlp = build_model("mlp", {"hidden": [], "activation": "relu", "dropout": 0.0, "batch_norm": False}, [4], 2)
    before = [parameter.detach().clone() for parameter in mlp.parameters()]
    init_from_data(mlp, lambda count: counts.append(count) or torch.zeros(1, 4))
    assert counts == []
    assert all(torch.equal(now, then) for now, then in zip(mlp.parameters(), before, strict=True))


def test_the_first_filters_pass_their_input_on() -> None:
    block = speednet().blocks[1].convs[0]  # 64 to 256
    values = torch.randn(2, 64, 15, 15)
    torch.testing.assert_close(block(values)[:, :64], values)


def test_batch_norm_has_no_trained_scale_and_the_sources_momentum() -> None:
    norms = [module for module in speednet().modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 6
    assert all(not norm.weight.requires_grad and norm.bias.requires_grad for norm in norms)
    assert all((norm.momentum, norm.eps) == (0.4, 1e-5) for norm in norms)


def test_logits_begin_near_zero_at_any_width() -> None:
    images = correlated(64)
    for widths in ([16, 32], [64, 256]):
        network = speednet([12, 12, 3], widths=widths)
        init_from_data(network, lambda count: images[:count])
        assert 0.001 < network(images).std().item() < 0.5


def test_channels_that_hardly_vary_do_not_blow_up_the_biases():
    torch.manual_seed(0)
    network = build_model(
        "speednet", {"widths": [8, 8], "convolutions": 1, "activation": "gelu"}, [12, 12, 1], 10
    ).train()
    images = -0.4 + 1e-7 * torch.randn(32, 1, 12, 12)  # black, but for what is below any pixel's step
    cross_entropy(network(images), torch.arange(32) % 10).backward()
    assert network.whiten.bias.grad.norm() < 1
