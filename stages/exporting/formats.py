"""The formats beside the checkpoint: safetensors, ONNX and torch.export's pt2.

Their bytes depend on the model alone. Left to themselves the libraries would also write the folder that the
code was run from (stack traces in ONNX and pt2) or an order drawn anew by each process (metadata of safetensors).
"""

import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from stages.datasets.format import symbol_type
from stages.project.files import write_bytes

OUTPUT = "logits"  # its name in the ONNX graph; the input is called "pixels" or "symbols"
_STEPS = 8  # of the text that a graph is traced with


def write_formats(folder: Path, network: nn.Module, tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write model.safetensors, model.onnx and model.pt2 into `folder`.

    Args:
        folder: is there.
        network: on the CPU, in evaluation mode; stored inputs to float32 logits.
        tensors: of the bare network, without what prepares its inputs.
        about: what the files say of themselves, with `input_shape` and `class_names` as a checkpoint has them.
    """
    write_safetensors(folder / "model.safetensors", tensors, about)
    program = trace(network, about["input_shape"], len(about["class_names"]))
    write_pt2(folder / "model.pt2", program)
    write_onnx(folder / "model.onnx", program, about)


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], about: Mapping[str, Any]) -> None:
    """Write the bare network's tensors, with `about` as JSON under the metadata key `about`.

    One key only: several would be written in an order that differs from process to process.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state_dict.items()}
    write_bytes(path, save(tensors, {"about": json.dumps(about, sort_keys=True, allow_nan=False)}))


def trace(network: nn.Module, shape: Sequence[int], classes: int) -> ExportedProgram:
    """The graph of a network, for batches of any size and texts of any length, without a word on where it was made.

    Args:
        network: on the CPU, in evaluation mode; pixels uint8 (N, H, W, C) to float32 (N, classes), or symbols
            unsigned (N, T) to float32 (N, classes), of a text (N, T, classes).
        shape: [H, W, C], [T], or [] of a text.
        classes: the number of logits.

    Source: https://docs.pytorch.org/docs/stable/export.html
    """
    stored = torch.uint8 if len(shape) == 3 or symbol_type(classes) == np.uint8 else torch.uint16
    example = torch.zeros((2, *(shape or [_STEPS])), dtype=stored)  # one input would freeze the batch size
    dynamic = {0: Dim("batch", min=1)} | ({} if shape else {1: Dim("steps", min=1)})
    with torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes=(dynamic,))
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                node.meta.pop("stack_trace", None)
    return program


def write_pt2(path: Path, program: ExportedProgram) -> None:
    """Write the graph for `torch.export.load`."""
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    write_bytes(path, buffer.getvalue())


def write_onnx(path: Path, program: ExportedProgram, about: Mapping[str, Any]) -> None:
    """Write the graph as ONNX, weights inside: `pixels` uint8 (batch, H, W, C) to `logits` float32 (batch, classes);
    or `symbols`, see `trace`.

    `about` becomes the model's metadata: texts as they are, all else as JSON.
    """
    names = {"input_names": program.graph_signature.user_inputs, "output_names": [OUTPUT]}
    with torch.no_grad():  # else it would look for the gradient of a loop over steps, and fail
        exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False, **names)
    assert exported is not None  # as `dynamo=True` promises
    model = exported.model_proto
    _strip(model)
    for key, value in sorted(about.items()):
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, allow_nan=False)
        model.metadata_props.add(key=key, value=text)
    write_bytes(path, model.SerializeToString(deterministic=True))


def _strip(model: Any) -> None:
    """Remove the exporter's notes on every node and value, and give the free dimensions their names."""
    _strip_notes(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", "steps"), strict=False):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = name


def _strip_notes(graph: Any) -> None:
    """Of a graph, and of those inside it that are repeated for each step."""
    del graph.value_info[:]  # shapes in between; a reader infers them
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, graph):
        part.ClearField("metadata_props")
    for inner in (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")):
        _strip_notes(inner)
