"""The ladder of initial weights."""

import pytest
import torch

from vision_pipeline.models.build import build_model
from vision_pipeline.models.model_factory import init_weights

SETTINGS = {
    "cnn": {"channels": [6], "kernel": 3, "padding": 1, "hidden": [64], "activation": "relu", "dropout": 0.0,
            "batch_norm": True},
    "mlp": {"hidden": [128, 64], "activation": "relu", "dropout": 0.0, "batch_norm": True},
}  # fmt: skip


def initialized(architecture: str, initialization: str) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    network = build_model(architecture, SETTINGS[architecture], [28, 28, 1], 10)
    init_weights(network, initialization)
    return network.state_dict()


def weights(architecture: str, initialization: str) -> dict[str, torch.Tensor]:
    """Without batch norms, whose parameters are vectors."""
    state = initialized(architecture, initialization)
    return {name: tensor for name, tensor in state.items() if tensor.ndim > 1}


@pytest.mark.parametrize("architecture", SETTINGS)
@pytest.mark.parametrize(
    ("initialization", "low", "high", "mean", "deviation"),
    [
        ("zeros", 0, 0, 0, 0),
        ("ones", 1, 1, 1, 0),
        ("uniform", 0, 1, 0.5, 12**-0.5),
        ("uniform-half", -0.5, 0.5, 0, 12**-0.5),
    ],
)
def test_scales_that_are_the_same_for_every_layer(architecture, initialization, low, high, mean, deviation) -> None:
    for weight in weights(architecture, initialization).values():
        assert low <= weight.min() <= weight.max() <= high
        assert weight.mean() == pytest.approx(mean, abs=6 * deviation / weight.numel() ** 0.5)
        assert weight.std(correction=0) == pytest.approx(deviation, rel=0.25)


@pytest.mark.parametrize("architecture", SETTINGS)
def test_scales_that_go_with_the_inputs_of_a_unit(architecture) -> None:
    inputs = {"convs.0.weight": 9, "hidden_layers.0.weight": 784, "hidden_layers.1.weight": 128, "output.weight": 64}
    if architecture == "cnn":
        inputs |= {"hidden_layers.0.weight": 6 * 14 * 14}
    even, normal = weights(architecture, "uniform-fan-in"), weights(architecture, "normal-fan-in")
    for name in even:
        scale = inputs[name] ** -0.5
        assert 0.9 * scale < even[name].abs().max() <= scale
        assert normal[name].std() == pytest.approx(scale, rel=0.25)
        assert normal[name].abs().max() > 1.5 * scale


@pytest.mark.parametrize("architecture", SETTINGS)
def test_biases_are_zero_but_with_the_default_which_is_torchs(architecture) -> None:
    torch.manual_seed(0)
    torchs = build_model(architecture, SETTINGS[architecture], [28, 28, 1], 10).state_dict()
    untouched, drawn = initialized(architecture, "default"), initialized(architecture, "normal-fan-in")
    assert all(torch.equal(untouched[name], tensor) for name, tensor in torchs.items())
    biases = [name for name in drawn if name.endswith("bias") and not name.startswith("norms")]
    assert len(biases) == 3
    assert all(not drawn[name].any() and torchs[name].any() for name in biases)
    norms = [name for name in drawn if name.startswith("norms")]
    assert norms
    assert all(torch.equal(drawn[name], torchs[name]) for name in norms)
