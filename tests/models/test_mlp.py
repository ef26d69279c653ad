"""The fully connected network."""

import pytest
import torch
from torch import nn

from vision_pipeline.models.build import build_model, count_parameters
from vision_pipeline.runtime.preprocessing import uint8_to_float


def mlp(hidden: list[int], dropout: float = 0.0, batch_norm: bool = False, activation: str = "relu") -> nn.Module:
    settings = {"hidden": hidden, "activation": activation, "dropout": dropout, "batch_norm": batch_norm}
    return build_model("mlp", settings, [28, 28, 1], 10)


@pytest.mark.parametrize(
    ("hidden", "parameters"),
    [([], 7_850), ([128, 64], 109_386), ([512, 512], 669_706), ([512, 256, 128], 567_434), ([400, 200, 100], 415_310)],
)
def test_parameters(hidden: list[int], parameters: int) -> None:
    assert count_parameters(mlp(hidden)) == (parameters, parameters)


def test_the_state_dict_is_called_as_in_the_course() -> None:
    shapes = {name: list(tensor.shape) for name, tensor in mlp([512, 256, 128], dropout=0.5).state_dict().items()}
    assert shapes == {
        "hidden_layers.0.weight": [512, 784],
        "hidden_layers.0.bias": [512],
        "hidden_layers.1.weight": [256, 512],
        "hidden_layers.1.bias": [256],
        "hidden_layers.2.weight": [128, 256],
        "hidden_layers.2.bias": [128],
        "output.weight": [10, 128],
        "output.bias": [10],
    }


def test_logits_are_those_of_the_plain_formula() -> None:
    network = mlp([5], activation="tanh").double()
    images = torch.randn(3, 1, 28, 28, dtype=torch.float64)
    first, output = network.hidden_layers[0], network.output
    expected = torch.tanh(images.flatten(1) @ first.weight.T + first.bias) @ output.weight.T + output.bias
    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(("shape", "pixels"), [([28, 28, 1], 784), ([32, 32, 3], 3072)])
@pytest.mark.parametrize("count", [64, 32])
def test_each_image_becomes_a_row_of_its_pixels(shape: list[int], pixels: int, count: int) -> None:
    settings = {"hidden": [128], "activation": "relu", "dropout": 0.0, "batch_norm": False}
    network, seen = build_model("mlp", settings, shape, 10), []
    assert network.hidden_layers[0].in_features == pixels  # from the images' shape, not from params.yaml
    network.hidden_layers[0].register_forward_pre_hook(lambda layer, inputs: seen.append(inputs[0]))
    images = uint8_to_float(torch.randint(0, 256, (count, *shape), dtype=torch.uint8))  # in channels_last layout
    network(images)
    assert seen[0].shape == (count, pixels)
    assert all(torch.equal(row, image.reshape(-1)) for row, image in zip(seen[0], images, strict=True))


def test_dropout_differs_between_passes_only_in_training() -> None:
    network, images = mlp([64], dropout=0.5), torch.randn(4, 1, 28, 28)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_batch_norm_comes_before_the_activation_of_each_hidden_layer() -> None:
    network = mlp([16, 8], batch_norm=True)
    assert [norm.num_features for norm in network.norms] == [16, 8]
    seen: list[torch.Tensor] = []
    network.norms[1].register_forward_hook(lambda *call: seen.append(call[2]))
    network(torch.randn(32, 1, 28, 28))
    assert seen[0].min() < 0  # no activation yet
    torch.testing.assert_close(seen[0].mean(0), torch.zeros(8), atol=1e-5, rtol=0)
