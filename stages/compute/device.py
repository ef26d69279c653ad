"""The device, precision and threads that a stage runs with, and its determinism."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from stages.project.console import Refusal
from stages.project.cores import usable_cores
from stages.project.locks import claim


@dataclass(frozen=True)
class Machine:
    """What a stage runs on; `str(machine.device)`, `precision` and `threads` are part of a run's key.

    Attributes:
        device: where tensors live.
        precision: "fp32" or "bf16" (autocast; weights stay fp32).
        threads: CPU threads. Their number changes how sums are split, and so the last bits of weights.
        name: of the processor or GPU, for people.
        why: the precision was chosen: "asked for", or what `_BF16` found.
        deterministic: whether the same work gives the same bits each time.
    """

    device: torch.device
    precision: str
    threads: int
    name: str
    why: str = "asked for"
    deterministic: bool = True

    def facts(self) -> dict[str, str | int]:
        """What a run records of its machine."""
        return {
            "device": self.device.type,
            "machine": self.name,
            "precision": self.precision,
            "precision_by": self.why,
            "threads": self.threads,
            "deterministic": self.deterministic,
        }

    @property
    def places(self) -> int:
        """How many stages like this one the processor can serve at once, at least 1; one core each feeds a GPU."""
        threads = self.threads if self.device.type == "cpu" else 1
        return max(1, usable_cores() // threads)

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which forward passes run."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def set_up(device: str, precision: str, threads: int, convolutions: bool, deterministic: bool = True) -> Machine:
    """Choose and configure the machine from the params `device`, `precision`, `threads` and `deterministic`.

    `precision: auto` is bf16 for networks with convolutions where `_BF16` says that the device is faster
    with it, else fp32. Small fully connected networks gain nothing from it.

    Raises:
        Refusal: the device asked for is not there.
    """
    chosen = _device(device)
    if chosen.type == "cuda" and "LOCAL_RANK" not in os.environ:  # a rank has its own
        _take_gpu(torch.cuda.device_count())
    torch.set_num_threads(threads or usable_cores())
    choose_algorithms(deterministic)
    resolved, why = _precision(chosen, convolutions) if precision == "auto" else (precision, "asked for")
    return Machine(chosen, resolved, torch.get_num_threads(), _name(chosen), why, deterministic)


@contextmanager
def memory_told(advice: str) -> Iterator[None]:
    """Refuse with `advice`, such as "; lower KEY", when the device's memory runs out inside the block."""
    try:
        yield
    except RuntimeError as error:
        if not _out_of_memory(error):
            raise
        raise Refusal(f"the device's memory ran out{advice}") from error


def _out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that the device's memory ran out; only CUDA has an error of its own for it."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def _device(asked: str) -> torch.device:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(kind for kind, present in there.items() if present))
    if not there[asked]:
        found = ", ".join(kind for kind, present in there.items() if present)
        raise Refusal(f"params.yaml: device is {asked!r}, which this machine lacks; it has: {found} (or use auto)")
    return torch.device(asked)


def _take_gpu(count: int) -> None:
    """Of several GPUs, work on the first that no other stage of this repository has; where all are taken, share one."""
    if count > 1:
        free = claim([f"gpu-{number}" for number in range(count)])
        torch.cuda.set_device(os.getpid() % count if free is None else free)


def choose_algorithms(deterministic: bool) -> None:
    """Let the same program on the same machine give the same bits, or else take the fastest way each time.

    Source: https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # the switch behind `use_deterministic_algorithms(True)`, which also imports the compiler, seconds in each stage
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 keeps 10 bits of the mantissa
    # the check for this flag would fill every empty tensor, also those about to be overwritten
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


# Where networks with convolutions train faster in bf16: the kind of device, what it must have, how to tell.
# CPU: AVX512_BF16 measured, 2.4 to 3.6 times fp32 (AMD Zen 4); AMX multiplies matrices of bf16 only faster still.
# CUDA: tensor cores take bf16 from Ampere on; older ones emulate it. MPS: not measured, so fp32.
_BF16: list[tuple[str, str, Callable[[torch.device], bool]]] = [
    ("cuda", "compute capability 8.0", lambda device: torch.cuda.get_device_capability(device) >= (8, 0)),
    ("cpu", "AMX", lambda device: bool(torch.cpu._is_amx_tile_supported())),
    ("cpu", "AVX512_BF16", lambda device: bool(torch.cpu._is_avx512_bf16_supported())),
]


def _precision(device: torch.device, convolutions: bool) -> tuple[str, str]:
    """The precision that suits device and network, and why."""
    if not convolutions:
        return "fp32", "no convolutions"
    for kind, feature, present in _BF16:
        if kind == device.type and present(device):
            return "bf16", feature
    return "fp32", "no fast bf16"


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if device.type == "cpu" and cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
