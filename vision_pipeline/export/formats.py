"""The formats beside the checkpoint: safetensors, ONNX and torch.export's pt2, and how a user loads them again.

The bytes of the files depend on the model alone. Without care the libraries would also write the folder of the code
(stack traces in ONNX and pt2) or an order that differs between processes (metadata of safetensors). The readers return
modules from stored inputs to float32 logits. They read a file as other programs do, so that a test of parity runs what
a user of the file runs.
"""

import io
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import write_bytes
from vision_pipeline.data.format import token_dtype

OUTPUT_NAME = "logits"  # in the ONNX graph, whose input is "pixels" or "symbols"
_TRACE_STEPS = 8  # length of the text that a graph is traced with


def write_formats(folder: Path, network: nn.Module, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write model.safetensors, model.onnx and model.pt2 into `folder`.

    Args:
        folder: an existing folder.
        network: network with preprocessing, on the CPU, in evaluation mode; stored inputs to float32 logits.
        tensors: state dict of the network without preprocessing.
        metadata: fields of the checkpoint but the state dict; `input_shape` and `class_names` shape the graph.
    """
    write_safetensors(folder / "model.safetensors", tensors, metadata)
    program = export_program(network, metadata["input_shape"], len(metadata["class_names"]))
    write_pt2(folder / "model.pt2", program)
    write_onnx(folder / "model.onnx", program, metadata)


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write the bare network's tensors, with `metadata` as JSON under the metadata key `about`.

    There is one key only, because several would be written in an order that differs between processes.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state_dict.items()}
    write_bytes(path, save(tensors, {"about": json.dumps(metadata, sort_keys=True, allow_nan=False)}))


def export_program(network: nn.Module, shape: Sequence[int], num_classes: int) -> ExportedProgram:
    """Return the graph of a network for batches of any size and texts of any length, without stack traces.

    Args:
        network: network with preprocessing, on the CPU, in evaluation mode. It takes pixels uint8 (N, H, W, C) or
            tokens unsigned (N, T), and returns float32 (N, classes); for a text float32 (N, T, classes).
        shape: shape of an input: [H, W, C] of images, [T] of sequences, [] of a text.
        num_classes: number of logits.

    Source: https://docs.pytorch.org/docs/stable/export.html
    """
    input_dtype = torch.uint8 if len(shape) == 3 or token_dtype(num_classes) == np.uint8 else torch.uint16
    example = torch.zeros(
        (2, *(shape or [_TRACE_STEPS])), dtype=input_dtype
    )  # with one input, the size of the batch would be constant
    dynamic_dims = {0: Dim("batch", min=1)} | ({} if shape else {1: Dim("steps", min=1)})
    with torch.no_grad():
        program = torch.export.export(network, (example,), dynamic_shapes=(dynamic_dims,))
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


def write_onnx(path: Path, program: ExportedProgram, metadata: Mapping[str, Any]) -> None:
    """Write the graph as ONNX with its weights, from `pixels` or `symbols` to `logits` (see `export_program`).

    Args:
        path: path of the file.
        program: the graph.
        metadata: becomes the metadata of the ONNX model: strings as they are, other values as JSON.
    """
    io_names = {"input_names": program.graph_signature.user_inputs, "output_names": [OUTPUT_NAME]}
    with torch.no_grad():  # with gradients, the export of a loop over steps fails
        exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False, **io_names)
    assert exported is not None  # guaranteed by `dynamo=True`
    model = exported.model_proto
    _strip_metadata(model)
    for key, value in sorted(metadata.items()):
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, allow_nan=False)
        model.metadata_props.add(key=key, value=text)
    write_bytes(path, model.SerializeToString(deterministic=True))


def _strip_metadata(model: Any) -> None:
    """Remove the exporter's metadata from all nodes and values, and name the dynamic dimensions."""
    _strip_graph_metadata(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", "steps"), strict=False):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = name


def _strip_graph_metadata(graph: Any) -> None:
    """Remove the metadata from a graph and from the graphs inside it that are repeated for each step."""
    del graph.value_info[:]  # shapes of intermediate values, which a reader infers
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, graph):
        part.ClearField("metadata_props")
    for inner in (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")):
        _strip_graph_metadata(inner)


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a safetensors file, on the CPU.

    Raises:
        ArtifactError: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted"
        ) from error
    return tensors


def check_same_tensors(file: str, loaded: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare a reloaded state dict with the one that was written, bit for bit.

    Args:
        file: name of the file, for the message.
        loaded: state dict that was read from it.
        expected: state dict that was written.

    Raises:
        ArtifactError: a tensor is missing, unknown or different; the message names the file and the first such tensor.
    """
    if mismatched := sorted(loaded.keys() ^ expected.keys()):
        raise ArtifactError(
            f"{file} does not hold the model's tensors: it {_describe_mismatch(mismatched[0], loaded)} {mismatched[0]}"
        )
    for name, tensor in expected.items():
        if loaded[name].dtype != tensor.dtype or not torch.equal(loaded[name], tensor):
            raise ArtifactError(f"{file} does not hold the model's tensors: {name} differs")


def _describe_mismatch(name: str, loaded: Mapping[str, Tensor]) -> str:
    return "should not have" if name in loaded else "lacks"


class FunctionModule(nn.Module):
    """A module that calls a function; it has no training mode and no registered parameters."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = (function,)  # in a tuple, because a module in an attribute would be registered

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the logits, float32 (N, classes) or, of a text, (N, T, classes)."""
        return self._function[0](inputs)


def read_pt2(path: Path, device: torch.device) -> nn.Module:
    """Load the graph of a pt2 file onto `device`."""
    from torch.export.passes import move_to_device_pass

    program = torch.export.load(path)
    return FunctionModule(move_to_device_pass(program, device).module())


def read_onnx(path: Path, threads: int) -> nn.Module:
    """Load an ONNX file into onnxruntime on the CPU, with deterministic kernels.

    Args:
        path: path of the file.
        threads: number of threads of an operator.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (graph_input,) = session.get_inputs()
    return FunctionModule(
        lambda inputs: torch.from_numpy(session.run([OUTPUT_NAME], {graph_input.name: inputs.cpu().numpy()})[0])
    )
