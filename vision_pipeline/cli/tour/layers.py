"""Layers and their dimensions"""

from typing import Any

import torch
from torch import nn

from vision_pipeline.cli.tour.tour_data import TourData, mlp_settings
from vision_pipeline.models.build import build_model
from vision_pipeline.models.model_summary import count_layers, dummy_input, layers_to_records, summarize_layers


def counting(data: TourData) -> None:
    """The layers of a network are its hidden layers and the output; the input is none. Logistic regression has one.

    Up to two hidden layers are called shallow, more deep: a way of speaking, not a definition.
    """
    for hidden in ((), (128, 64), (512, 256, 128)):
        print(hidden, count_layers(summarize_layers(data.build_network(*hidden), dummy_input([28, 28, 1]))))


def shapes(data: TourData) -> None:
    """In a network of 2-3-5-4-2-1 units W[L] is n[L] x n[L-1] and b[L] is n[L] x 1; dW and db have the same shapes."""
    network: Any = build_model("mlp", mlp_settings(3, 5, 4, 2), [2], 1)
    network(torch.randn(64, 2)).sum().backward()
    for row in layers_to_records(summarize_layers(network, dummy_input([2]))):
        if row["W"]:
            print(f"L = {row['layer']}: W {row['W']}, b {row['b']}")
    print("same shape as the gradients:", all(weight.grad.shape == weight.shape for weight in network.parameters()))


def rows_or_columns(data: TourData) -> None:
    """m samples are the rows of X in torch, (m, n); on paper they are often the columns, z = W x + b, (n, m).

    Both give the same numbers, one as the transpose of the other.
    """
    layer, samples = nn.Linear(3, 5), torch.randn(64, 3)
    by_rows = layer(samples)
    by_columns = layer.weight @ samples.T + layer.bias[:, None]
    print(tuple(by_rows.shape), tuple(by_columns.shape), torch.allclose(by_rows, by_columns.T, atol=1e-6))


def layer_after_layer(data: TourData) -> None:
    """All samples go through a layer at once, but layer must follow layer: each takes what the one before gives."""
    network = data.build_network(128, 64)
    a = data.load_images().flatten(1)
    for number, layer in enumerate([*network.hidden_layers, network.output], start=1):
        z = layer(a)
        a = z.relu()
        print(f"z[{number}], a[{number}]", tuple(z.shape))
    print("the last z are the scores:", torch.equal(z, network(data.load_images())))
