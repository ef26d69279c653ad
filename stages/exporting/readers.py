"""From exported files back to what runs: modules that take stored inputs and give float32 logits.

They run in other programs' way, so that parity tests what a user will do with the file.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from stages.exporting.formats import OUTPUT
from stages.project.console import Refusal


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a safetensors file, on the CPU.

    Raises:
        Refusal: the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise Refusal(f"{path} cannot be read ({error}); `dvc repro` makes it again once it is deleted") from error
    return tensors


def check_tensors(file: str, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Compare a reloaded state dict with the one that was written, bit for bit.

    Raises:
        Refusal: names the file and the first tensor that is missing, unknown or different.
    """
    if unlike := sorted(found.keys() ^ wanted.keys()):
        raise Refusal(f"{file} does not hold the model's tensors: it {_has(unlike[0], found)} {unlike[0]}")
    for name, tensor in wanted.items():
        if found[name].dtype != tensor.dtype or not torch.equal(found[name], tensor):
            raise Refusal(f"{file} does not hold the model's tensors: {name} differs")


def _has(name: str, found: Mapping[str, Tensor]) -> str:
    return "should not have" if name in found else "lacks"


class Opaque(nn.Module):
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
    return Opaque(move_to_device_pass(program, device).module())


def read_onnx(path: Path, threads: int) -> nn.Module:
    """An ONNX file in onnxruntime on the CPU, with so many threads and the same bits every time."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    return Opaque(lambda inputs: torch.from_numpy(session.run([OUTPUT], {given.name: inputs.cpu().numpy()})[0]))
