"""From params to a network."""

from pathlib import Path

import pytest
import torch
from torch import nn

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.models.build import architecture_config, build_model, count_parameters


@pytest.mark.parametrize(
    ("model", "keys"),
    [
        ("mnist-mlp", {"hidden", "activation", "dropout", "batch_norm", "initialization"}),
        (
            "mnist-cnn",
            {"channels", "kernel", "padding", "hidden", "activation", "dropout", "batch_norm", "initialization"},
        ),
        ("cats_dogs-densenet121", {"hidden", "activation", "dropout"}),
    ],
)
def test_settings_are_the_architectures_own_keys(repository: Path, model: str, keys: set[str]) -> None:
    (section,) = load_params(f"models.{model}", path=repository / "params.yaml")
    assert architecture_config(section).keys() == keys


@pytest.mark.parametrize(
    ("model", "shape", "parameters"),
    [
        ("mnist-logistic", [28, 28, 1], 7_850),
        ("mnist-mlp", [28, 28, 1], 109_386),
        ("mnist-mlp-wide", [28, 28, 1], 671_754),  # 669,706 and two batch norms of 512
        ("cifar10-cnn", [32, 32, 3], 541_094),
    ],
)
def test_the_default_models_have_their_sizes(repository: Path, model: str, shape: list[int], parameters: int) -> None:
    (section,) = load_params(f"models.{model}", path=repository / "params.yaml")
    network = build_model(section.architecture, architecture_config(section), shape, 10)
    assert count_parameters(network) == (parameters, parameters)


@pytest.mark.parametrize("name", ["cnnn", "build", "checkpoint", "layers", "../train", "", "os"])
def test_only_architectures_can_be_asked_for(name: str) -> None:
    with pytest.raises(ConfigError, match="architecture is"):
        build_model(name, {}, [28, 28, 1], 10)


def test_frozen_parameters_are_counted_apart() -> None:
    network = nn.Sequential(nn.Linear(3, 4).requires_grad_(False), nn.Linear(4, 2))
    assert count_parameters(network) == (26, 10)


def test_the_same_seed_gives_the_same_weights() -> None:
    settings = {"hidden": [8], "activation": "relu", "dropout": 0.0, "batch_norm": False}
    torch.manual_seed(3)
    first = build_model("mlp", settings, [4], 2).state_dict()
    torch.manual_seed(3)
    second = build_model("mlp", settings, [4], 2).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
