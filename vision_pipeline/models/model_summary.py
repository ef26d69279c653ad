"""The layers of a network in the order of a forward pass, with their shapes, sizes and cost, as a table and as text.

Notation of fully connected layers, after A. Ng: n[L] units in layer L, n[0] inputs; W[L] is n[L] x n[L-1], b[L] is
n[L] x 1, z[L] and a[L] are n[L] x m, with a column for each of m samples.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vision_pipeline.core.files import read_json, write_csv, write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.models.build import count_parameters
from vision_pipeline.models.checkpoint import Checkpoint, build_from_checkpoint
from vision_pipeline.models.flops import count_macs, count_weights_biases, infer_output_shape, trace_layers
from vision_pipeline.models.layers import RecurrentLayer

SUMMARY_FILES = ("summary.csv", "summary.txt")

_MAX_SHALLOW_HIDDEN = 2  # hidden layers of a shallow network at most; a convention, no definition
_COLUMNS = ("L", "name", "kind", "output", "weights", "biases", "multiply-adds")
_DENSE_COLUMNS = ("L", "name", "W[L]", "b[L]", "z[L], a[L]")
_CONVENTION = (
    "Columns are samples here. torch has W[L] as it is, b[L] as (n[L],), and z[L] and a[L] as the transpose, "
    "(m, n[L]):\nin torch rows are samples."
)


@dataclass(frozen=True)
class LayerInfo:
    """One layer at one position of a network.

    Attributes:
        name: in the network; "(itself)" if the network is one layer.
        kind: its class.
        input_shape, output_shape: of one sample; [] of parameters that are used without a call of their layer.
        weights, biases: their numbers; 0 if an earlier position of the same layer counts them.
        multiply_adds: for one sample.
        number: L, counted from 1, of a layer with a matrix (of the last of several, in a recurrent one); 0 of any
            other: activations, pooling and normalisation belong to the layer before them.
        is_dense: fully connected, from one vector to another: W[L] is n[L] x n[L-1].
    """

    name: str
    kind: str
    input_shape: list[int]
    output_shape: list[int]
    weights: int
    biases: int
    multiply_adds: int
    number: int
    is_dense: bool


def summarize_layers(network: nn.Module, inputs: Tensor) -> list[LayerInfo]:
    """Return every layer that `inputs` pass through, then parameters that belong to none of these.

    A forward pass (`trace_layers`) gives the order and the input shapes. Output shapes, sizes and costs follow by
    formula, or from the pass if there is no formula.

    Args:
        network: on the inputs' device.
        inputs: as the network takes them, with the batch as the first dimension.
    """
    names = {module: name or "(itself)" for name, module in network.named_modules()}
    layers: list[LayerInfo] = []
    counted: set[Tensor] = set()
    layer_number = 0
    for module, input_shape, traced_shape in trace_layers(network, inputs):
        layer_number += (weight_layers := _count_weight_layers(module))
        number = layer_number if weight_layers else 0
        output_shape = infer_output_shape(module, input_shape) or traced_shape
        layers.append(
            _make_layer_info(names[module], module, input_shape, output_shape, number=number, counted=counted)
        )
    uncalled = [(layer, name) for layer, name in names.items() if set(layer.parameters(recurse=False)) - counted]
    return layers + [_make_uncalled_info(name, layer) for layer, name in uncalled]


def dummy_input(shape: list[int]) -> Tensor:
    """Return one input of zeros as networks take it.

    Args:
        shape: of a stored input, [height, width, channels], or [dimensions] of features.

    Returns:
        float32 (1, channels, height, width), or (1, dimensions).
    """
    return torch.zeros(1, *(shape[2], *shape[:2]) if len(shape) == 3 else shape)


def example_input(network: nn.Module, shape: list[int]) -> Tensor:
    """Return `dummy_input`; for a network that reads symbols int64 zeros, (1, length) of sequences, (1, 1) of text."""
    if getattr(network, "is_token_model", False):
        return torch.zeros(1, *(shape or [1]), dtype=torch.int64)
    return dummy_input(shape)


def count_layers(layers: list[LayerInfo]) -> tuple[int, str]:
    """Return the number of layers, hidden ones and the output (the input is none), and "shallow" or "deep"."""
    count = max(layer.number for layer in layers)
    return count, "shallow" if count - 1 <= _MAX_SHALLOW_HIDDEN else "deep"


def layers_to_records(layers: list[LayerInfo]) -> list[dict[str, Any]]:
    """Return for each layer number, name, kind, output, weights, biases, multiply_adds, W, b and z of one sample."""
    return [
        {
            "layer": layer.number or "",
            "name": layer.name,
            "kind": layer.kind,
            "output": _format_shape(layer.output_shape),
            "weights": layer.weights,
            "biases": layer.biases,
            "multiply_adds": layer.multiply_adds,
            **dict(
                zip(("W", "b", "z"), _format_dense_shapes(layer, 1) if layer.is_dense else ("", "", ""), strict=True)
            ),
        }
        for layer in layers
    ]


def format_summary(title: str, layers: list[LayerInfo], num_trainable: int, batch_size: int | None = None) -> str:
    """Return tables with totals: all layers, then the shapes of the fully connected ones.

    Args:
        title: the first line.
        layers: of `summarize_layers`.
        num_trainable: the number of trained parameters.
        batch_size: m, the number of samples; None prints the letter.
    """
    dense_rows = [
        (str(layer.number), layer.name, *_format_dense_shapes(layer, "m" if batch_size is None else batch_size))
        for layer in layers
        if layer.is_dense
    ]
    lines = [
        title,
        "",
        *_align_columns(_COLUMNS, [_format_row(layer) for layer in layers], 4),
        "",
        *_format_totals(layers, num_trainable, batch_size),
    ]
    if dense_rows:
        lines += ["", "Fully connected layers", "", *_align_columns(_DENSE_COLUMNS, dense_rows, 2), "", _CONVENTION]
    return "\n".join(lines)


def build_with_backbone(checkpoint: Checkpoint, inputs_dir: Path) -> nn.Module:
    """Return the network of a checkpoint; a transfer model's head gets its backbone in front.

    The backbone's weights are random: only its layers are of interest here. `stages/export.py` joins the trained ones.

    Args:
        checkpoint: of the model.
        inputs_dir: the folder of its training data; of a transfer model that of the backbone's features.

    Raises:
        ArtifactError: as `build_from_checkpoint`; or `backbone.json` of the features is missing.
    """
    network = build_from_checkpoint(checkpoint)
    if checkpoint.architecture != "transfer":
        return network
    from vision_pipeline.models.transfer import join_backbone  # only transfer models depend on it

    mean, std = checkpoint.normalize["mean"], checkpoint.normalize["std"]
    return join_backbone(read_json(inputs_dir / "backbone.json"), network, feature_mean=mean, feature_std=std)


def write_summary(folder: Path, checkpoint: Checkpoint, inputs_dir: Path, shape: list[int]) -> None:
    """Write `SUMMARY_FILES`, a table for programs and a text for people: all layers, from the stored input on.

    Args:
        folder: to write to.
        checkpoint: of the model.
        inputs_dir: the folder of its training data, see `build_with_backbone`.
        shape: of one stored image, [] of a text, or [length] of sequences.
    """
    network = build_with_backbone(checkpoint, inputs_dir)
    layers = summarize_layers(network, example_input(network, shape))
    records = layers_to_records(layers)
    table_file, text_file = SUMMARY_FILES
    write_csv(folder / table_file, list(records[0]), [list(row.values()) for row in records])
    write_text(folder / text_file, format_summary(checkpoint.name, layers, count_parameters(network)[1]) + "\n")
    logger.debug(f"{folder}: a summary of {len(layers)} layers is written")


def _count_weight_layers(module: nn.Module) -> int:
    """Return the number of layers with a matrix that a module is."""
    if isinstance(module, nn.RNNBase):
        return module.num_layers
    return int(isinstance(module, nn.modules.conv._ConvNd | nn.Linear | RecurrentLayer))


def _make_layer_info(
    name: str,
    module: nn.Module,
    input_shape: list[int],
    output_shape: list[int],
    *,
    number: int,
    counted: set[Tensor],
) -> LayerInfo:
    """Return the info of a called layer, and add its parameters to `counted`; those in it already count as 0."""
    own_params = set(module.parameters(recurse=False))
    weights, biases = count_weights_biases(module) if own_params - counted else (0, 0)
    counted |= own_params
    return LayerInfo(
        name=name,
        kind=type(module).__name__,
        input_shape=input_shape,
        output_shape=output_shape,
        weights=weights,
        biases=biases,
        multiply_adds=count_macs(module, output_shape),
        number=number,
        is_dense=isinstance(module, nn.Linear) and len(output_shape) == 1,
    )


def _make_uncalled_info(name: str, module: nn.Module) -> LayerInfo:
    """Return the info of a module whose parameters are used without a call of it."""
    weights, biases = count_weights_biases(module)
    return LayerInfo(
        name=name,
        kind=type(module).__name__,
        input_shape=[],
        output_shape=[],
        weights=weights,
        biases=biases,
        multiply_adds=0,
        number=0,
        is_dense=False,
    )


def _format_totals(layers: list[LayerInfo], num_trainable: int, batch_size: int | None) -> list[str]:
    weights, biases = sum(layer.weights for layer in layers), sum(layer.biases for layer in layers)
    macs, (num_layers, depth_word) = sum(layer.multiply_adds for layer in layers), count_layers(layers)
    lines = [
        f"layers      {num_layers}: {num_layers - 1} hidden and the output; {depth_word} "
        "(up to 2 hidden layers are called shallow)",
        f"parameters  {weights + biases:,}: {weights:,} weights and {biases:,} biases; {num_trainable:,} are trained",
        f"cost        {macs:,} multiply-adds for one sample",
    ]
    if batch_size is not None:
        lines[-1] += f", {batch_size * macs:,} for {batch_size}"
    return lines


def _format_row(layer: LayerInfo) -> tuple[str, ...]:
    sizes = (f"{size:,}" if size else "" for size in (layer.weights, layer.biases, layer.multiply_adds))
    return (str(layer.number or ""), layer.name, layer.kind, _format_shape(layer.output_shape), *sizes)


def _format_dense_shapes(layer: LayerInfo, num_samples: int | str) -> tuple[str, str, str]:
    """Return the shapes of W, of b, and of z and a."""
    units = layer.output_shape[0]
    return f"{units} x {layer.input_shape[0]}", f"{units} x 1", f"{units} x {num_samples}"


def _format_shape(sizes: list[int]) -> str:
    return " x ".join(map(str, sizes))


def _align_columns(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], num_text_columns: int) -> list[str]:
    """Return the lines of a table; the columns after the first `num_text_columns` are numbers, on the right."""
    table = [header, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if column >= num_text_columns else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]
