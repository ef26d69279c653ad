"""The layers of whole networks: by formula, and by a forward pass."""

from pathlib import Path

import pytest
import torch
from ruamel.yaml import YAML
from torch import Tensor, nn

from vision_pipeline.config.load import load_params
from vision_pipeline.models.backbones import create_backbone
from vision_pipeline.models.build import architecture_config, build_model, count_parameters
from vision_pipeline.models.model_summary import (
    count_layers,
    dummy_input,
    example_input,
    format_summary,
    layers_to_records,
    summarize_layers,
)
from vision_pipeline.models.transfer import attach_head

SHAPES = {"mnist": [28, 28, 1], "cifar10": [32, 32, 3], "cats_dogs": [64, 64, 3], "hello": [], "shakespeare": []}
DEFAULT = list(YAML(typ="safe").load(Path(__file__).parents[2] / "params.yaml")["models"])
MLP = {"activation": "relu", "dropout": 0.0, "batch_norm": False}


def default(name: str, repository: Path) -> tuple[nn.Module, list[int]]:
    """A model of params.yaml, a transfer model with its backbone in front."""
    (model,) = load_params(f"models.{name}", path=repository / "params.yaml")
    shape = SHAPES[model.dataset]
    if model.architecture != "transfer":
        return build_model(model.architecture, architecture_config(model), shape, 10), shape
    features, backbones = load_params("features", "backbones", path=repository / "params.yaml")
    spec = backbones[features[model.inputs.removeprefix("features/")].backbone]
    body = create_backbone(spec.library, spec.network)
    size = body.eval()(torch.zeros(1, 3, 64, 64)).shape[1]
    return attach_head(body, build_model("transfer", architecture_config(model), [size], 2)), shape


def output_shapes(network: nn.Module, inputs: Tensor) -> list[tuple[str, list[int]]]:
    """Name and output shape of each module that has none inside, by a forward pass."""
    shapes: list[tuple[str, list[int]]] = []
    for name, module in network.named_modules():
        if not list(module.children()):
            module.register_forward_hook(
                lambda module, inputs, output, name=name: shapes.append((name, list(_first(output).shape[1:])))
            )
    with torch.no_grad():
        network.eval()(inputs)
    return shapes


def _first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """A recurrent layer gives its state, too."""
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("name", DEFAULT)
def test_the_layers_of_every_default_model_are_those_of_a_forward_pass(name: str, repository: Path) -> None:
    network, shape = default(name, repository)
    inputs = example_input(network, shape)
    layers = summarize_layers(network, inputs)
    passed = output_shapes(network, torch.cat([inputs, inputs]))
    leaves = {name for name, _ in passed}
    assert [(layer.name, layer.output_shape) for layer in layers if layer.name in leaves] == passed
    assert sum(layer.weights + layer.biases for layer in layers) == count_parameters(network)[0]
    free = {layer.kind for layer in layers if layer.weights and not layer.multiply_adds}
    assert free <= {"BatchNorm1d", "BatchNorm2d", "BatchNormAct2d"}


@pytest.mark.parametrize(
    ("library", "network", "parameters", "million"),
    [("torchvision", "densenet121", 6_953_856, 2833), ("timm", "tf_efficientnet_lite0", 3_371_008, 384),
     ("torchvision", "resnet18", 11_176_512, 1814), ("torchvision", "swin_t", 27_519_354, None),
     ("torchvision", "vit_b_32", 87_455_232, 4408)],
)  # fmt: skip
def test_backbones_have_their_published_size_and_cost(
    library: str, network: str, parameters: int, million: int | None
) -> None:
    layers = summarize_layers(create_backbone(library, network), dummy_input([224, 224, 3]))
    assert sum(layer.weights + layer.biases for layer in layers) == parameters
    if million:
        assert round(sum(layer.multiply_adds for layer in layers) / 1e6) == million


def test_a_network_of_the_cnns_settings_follows_from_them_alone(repository: Path) -> None:
    network, shape = default("cifar10-cnn", repository)
    layers = [layer for layer in summarize_layers(network, dummy_input(shape)) if layer.number]
    assert [layer.output_shape for layer in layers] == [[16, 32, 32], [32, 16, 16], [64, 8, 8], [500], [10]]
    assert [layer.weights + layer.biases for layer in layers] == [448, 4_640, 18_496, 512_500, 5_010]
    assert [layer.number for layer in layers] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("hidden", "count", "word"), [([], 1, "shallow"), ([128, 64], 3, "shallow"), ([512, 256, 128], 4, "deep")]
)
def test_layers_are_the_hidden_ones_and_the_output(hidden: list[int], count: int, word: str) -> None:
    network = build_model("mlp", MLP | {"hidden": hidden}, [28, 28, 1], 10)
    assert count_layers(summarize_layers(network, dummy_input([28, 28, 1]))) == (count, word)


@pytest.mark.parametrize("samples", [1, 64])
def test_shapes_of_a_fully_connected_network_in_both_conventions(samples: int) -> None:
    """Columns are samples on paper: z = W x + b; rows are samples in torch, with the same numbers."""
    network = build_model("mlp", MLP | {"hidden": [3, 5, 4, 2]}, [2], 1)
    table = [row for row in layers_to_records(summarize_layers(network, dummy_input([2]))) if row["layer"]]
    assert [row["W"] for row in table] == ["3 x 2", "5 x 3", "4 x 5", "2 x 4", "1 x 2"]
    assert [row["b"] for row in table] == ["3 x 1", "5 x 1", "4 x 1", "2 x 1", "1 x 1"]
    assert sum(row["weights"] + row["biases"] for row in table) == 66
    inputs = torch.randn(samples, 2)
    linears = [*network.hidden_layers, network.output]
    column = inputs.T
    for row, linear in zip(table, linears, strict=True):
        weights, biases = linear.weight, linear.bias[:, None]
        column = weights @ column + biases
        assert (row["W"], row["b"]) == tuple(" x ".join(map(str, tensor.shape)) for tensor in (weights, biases))
        assert column.shape == (linear.out_features, samples)
        column = column if linear is network.output else column.relu()
    torch.testing.assert_close(network(inputs), column.T)
    network(inputs).sum().backward()
    assert all(parameter.grad.shape == parameter.shape for parameter in network.parameters())


def test_a_layer_that_is_used_twice_is_held_once_and_computed_twice() -> None:
    linear = nn.Linear(4, 4)
    layers = summarize_layers(nn.Sequential(linear, nn.ReLU(), linear), torch.zeros(1, 4))
    assert [(layer.weights, layer.biases, layer.multiply_adds) for layer in layers] == [
        (16, 4, 16), (0, 0, 0), (0, 0, 16),
    ]  # fmt: skip


class Reader(nn.Module):
    """A recurrent network with parameters of its own, whose layers are no images'."""

    def __init__(self, batch_first: bool) -> None:
        super().__init__()
        self.embedding, self.output = nn.Embedding(7, 5), nn.Linear(6, 7)
        self.recurrent, self.scale = nn.LSTM(5, 6, 2, batch_first=batch_first), nn.Parameter(torch.ones(3))

    def forward(self, tokens: Tensor) -> Tensor:
        return self.output(self.recurrent(self.embedding(tokens))[0])


def test_recurrent_networks_and_parameters_of_no_layer() -> None:
    network = Reader(batch_first=True)
    layers = summarize_layers(network, torch.zeros(1, 9, dtype=torch.long))
    assert [(layer.kind, layer.output_shape) for layer in layers] == [
        ("Reader", [9, 7]), ("Embedding", [9, 5]), ("LSTM", [9, 6]), ("Linear", [9, 7]),
    ]  # fmt: skip
    assert sum(layer.weights + layer.biases for layer in layers) == count_parameters(network)[0]
    assert [layer.multiply_adds for layer in layers] == [0, 0, 9 * (4 * 6 * 11 + 4 * 6 * 12), 9 * 6 * 7]
    assert count_layers(layers) == (3, "shallow")  # the LSTM is two, one on the other
    assert not any(layer.is_dense for layer in layers)
    assert "Fully connected" not in format_summary("reader", layers, 0)


def test_a_recurrent_layer_with_the_batch_in_the_second_place() -> None:
    layers = summarize_layers(Reader(batch_first=False), torch.zeros(9, 1, dtype=torch.long))
    assert (layers[2].input_shape, layers[2].output_shape) == ([9, 5], [9, 6])


def test_parameters_that_are_used_without_a_call_are_listed_last() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    layers = summarize_layers(Attending(attention), torch.zeros(1, 3, 8))
    assert [(layer.name, layer.weights, layer.biases, layer.output_shape) for layer in layers] == [
        ("layer", 3 * 8 * 8, 3 * 8, [3, 8]), ("layer.out_proj", 8 * 8, 8, []),
    ]  # fmt: skip


class Attending(nn.Module):
    """Attention of a sequence to itself."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, values: Tensor) -> Tensor:
        return self.layer(values, values, values)[0]


def test_looking_changes_nothing() -> None:
    network = build_model("mlp", MLP | {"hidden": [4], "dropout": 0.5, "batch_norm": True}, [2, 2, 1], 2).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    drawn = torch.get_rng_state()
    summarize_layers(network, dummy_input([2, 2, 1]))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(module.training for module in network.modules())
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


def test_totals_and_the_batch() -> None:
    network = build_model("mlp", MLP | {"hidden": [3]}, [2], 1)
    page = format_summary("tiny", summarize_layers(network, dummy_input([2])), 13, batch_size=64)
    assert page.splitlines()[-12:-6] == [
        "layers      2: 1 hidden and the output; shallow (up to 2 hidden layers are called shallow)",
        "parameters  13: 9 weights and 4 biases; 13 are trained",
        "cost        9 multiply-adds for one sample, 576 for 64",
        "",
        "Fully connected layers",
        "",
    ]
    assert page.splitlines()[-6:-3] == [
        "L  name              W[L]   b[L]  z[L], a[L]",
        "1  hidden_layers.0  3 x 2  3 x 1      3 x 64",
        "2  output           1 x 3  1 x 1      1 x 64",
    ]


def test_a_cell_written_out_is_a_layer_as_torchs_is() -> None:
    settings = {"cell": "elman", "hidden": 8, "layers": 2, "dropout": 0.0, "forget_bias": 1.0, "input_bias": 0.0}
    network = build_model("recurrent", settings, [], 4)
    layers = [layer for layer in summarize_layers(network, example_input(network, [])) if layer.number]
    assert [(layer.kind, layer.output_shape, layer.weights, layer.biases) for layer in layers] == [
        ("Elman", [1, 8], 8 * 4 + 8 * 8, 8),
        ("Elman", [1, 8], 8 * 8 + 8 * 8, 8),
        ("Linear", [1, 4], 4 * 8, 4),
    ]
    assert [layer.multiply_adds for layer in layers] == [96, 128, 32]  # of one step
    assert count_layers(layers) == (3, "shallow")
