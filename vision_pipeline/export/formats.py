"""The formats beside the checkpoint: safetensors, ONNX and torch.export's pt2.

Their bytes depend on the model alone. Left to themselves the libraries would also write the folder that the
code was run from (stack traces in ONNX and pt2) or an order drawn anew by each process (metadata of safetensors).
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

OUTPUT_NAME = "logits"  # its name in the ONNX graph; the input is called "pixels" or "symbols"
_TRACE_STEPS = 8  # of the text that a graph is traced with


def write_formats(folder: Path, network: nn.Module, tensors: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write model.safetensors, model.onnx and model.pt2 into `folder`.

    Args:
        folder: is there.
        network: on the CPU, in evaluation mode; stored inputs to float32 logits.
        tensors: of the bare network, without what prepares its inputs.
        metadata: what the files say of themselves, with `input_shape` and `load_class_names` as a checkpoint has them.
    """
    write_safetensors(folder / "model.safetensors", tensors, metadata)
    program = export_program(network, metadata["input_shape"], len(metadata["class_names"]))
    write_pt2(folder / "model.pt2", program)
    write_onnx(folder / "model.onnx", program, metadata)


def write_safetensors(path: Path, state_dict: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
    """Write the bare network's tensors, with `metadata` as JSON under the metadata key `metadata`.

    One key only: several would be written in an order that differs from process to process.
    """
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state_dict.items()}
    write_bytes(path, save(tensors, {"about": json.dumps(metadata, sort_keys=True, allow_nan=False)}))


def export_program(network: nn.Module, shape: Sequence[int], num_classes: int) -> ExportedProgram:
    """The graph of a network, for batches of any size and texts of any length, without a word on where it was made.

    Args:
        network: on the CPU, in evaluation mode; pixels uint8 (N, H, W, C) to float32 (N, classes), or symbols
            unsigned (N, T) to float32 (N, classes), of a text (N, T, classes).
        shape: [H, W, C], [T], or [] of a text.
        num_classes: the number of logits.

    Source: https://docs.pytorch.org/docs/stable/export.html
    """
    input_dtype = torch.uint8 if len(shape) == 3 or token_dtype(num_classes) == np.uint8 else torch.uint16
    example = torch.zeros((2, *(shape or [_TRACE_STEPS])), dtype=input_dtype)  # one input would freeze the batch size
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
    """Write the graph as ONNX, weights inside: `pixels` uint8 (batch, H, W, C) to `logits` float32 (batch, classes);
    or `symbols`, see `trace`.

    `metadata` becomes the model's metadata: texts as they are, all else as JSON.
    """
    io_names = {"input_names": program.graph_signature.user_inputs, "output_names": [OUTPUT_NAME]}
    with torch.no_grad():  # else it would look for the gradient of a loop over steps, and fail
        exported = torch.onnx.export(program, dynamo=True, external_data=False, verbose=False, **io_names)
    assert exported is not None  # as `dynamo=True` promises
    model = exported.model_proto
    _strip_metadata(model)
    for key, value in sorted(metadata.items()):
        text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, allow_nan=False)
        model.metadata_props.add(key=key, value=text)
    write_bytes(path, model.SerializeToString(deterministic=True))


def _strip_metadata(model: Any) -> None:
    """Remove the exporter's notes on every node and value, and give the free dimensions their names."""
    _strip_graph_metadata(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        for dimension, name in zip(value.type.tensor_type.shape.dim, ("batch", "steps"), strict=False):
            if not dimension.HasField("dim_value"):
                dimension.dim_param = name


def _strip_graph_metadata(graph: Any) -> None:
    """Of a graph, and of those inside it that are repeated for each step."""
    del graph.value_info[:]  # shapes in between; a reader infers them
    for part in (*graph.node, *graph.initializer, *graph.input, *graph.output, graph):
        part.ClearField("metadata_props")
    for inner in (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")):
        _strip_graph_metadata(inner)


# MERGED From exported files back to what runs: modules that take stored inputs and give float32 logits.
# MERGED
# MERGED They run in other programs' way, so that parity tests what a user will do with the file.
def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

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

    Raises:
        ArtifactError: names the file and the first tensor that is missing, unknown or different.
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
    """A function in the form of a module; it has no training mode and no parameters that torch knows of."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self._function = (function,)  # in a tuple: a module in an attribute would become a part of this one

    def forward(self, inputs: Tensor) -> Tensor:
        """Logits."""
        return self._function[0](inputs)


def read_pt2(path: Path, device: torch.device) -> nn.Module:
    """The graph of a pt2 file, on `device`."""
    from torch.export.passes import move_to_device_pass

    program = torch.export.load(path)
    return FunctionModule(move_to_device_pass(program, device).module())


def read_onnx(path: Path, threads: int) -> nn.Module:
    """An ONNX file in onnxruntime on the CPU, with so many threads and the same bits every time."""
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
