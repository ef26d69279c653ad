"""The device, precision and threads that a stage runs with, and its determinism."""

import os
import platform
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import torch

from stages.project.console import Refusal


@dataclass(frozen=True)
class Machine:
    """What a stage runs on; `str(machine.device)`, `precision` and `threads` are part of a run's key.

    Attributes:
        device: where tensors live.
        precision: "fp32" or "bf16" (autocast; weights stay fp32).
        threads: CPU threads. Their number changes how sums are split, and so the last bits of weights.
        name: of the processor or GPU, for people.
    """

    device: torch.device
    precision: str
    threads: int
    name: str

    def facts(self) -> dict[str, str | int]:
        """What a run records of its machine."""
        return {
            "device": self.device.type,
            "machine": self.name,
            "precision": self.precision,
            "threads": self.threads,
        }

    def autocast(self) -> AbstractContextManager[object]:
        """The context in which forward passes run."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def set_up(device: str, precision: str, threads: int, convolutions: bool) -> Machine:
    """Choose and configure the machine from the params `device`, `precision` and `threads`.

    `precision: auto` is bf16 for networks with convolutions where the device multiplies bf16 in
    hardware (CUDA compute capability 8.0 and up; CPUs with AVX512_BF16 or AMX), where it is 2 to 4
    times faster; else fp32. Small fully connected networks gain nothing from it.

    Raises:
        Refusal: the device asked for is not there.
    """
    chosen = _device(device)
    torch.set_num_threads(threads or _cores())
    _deterministic()
    fast_bf16 = convolutions and _multiplies_bf16(chosen)
    resolved = ("bf16" if fast_bf16 else "fp32") if precision == "auto" else precision
    return Machine(chosen, resolved, torch.get_num_threads(), _name(chosen))


def out_of_memory(error: RuntimeError) -> bool:
    """Whether an error says that the device's memory ran out; only CUDA has an error of its own for it."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def _cores() -> int:
    """Cores that this process may use; in a container or a batch job these can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _device(asked: str) -> torch.device:
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if asked == "auto":
        return torch.device(next(kind for kind, present in there.items() if present))
    if not there[asked]:
        found = ", ".join(kind for kind, present in there.items() if present)
        raise Refusal(f"params.yaml: device is {asked!r}, which this machine lacks; it has: {found} (or use auto)")
    return torch.device(asked)


def _deterministic() -> None:
    """The same program on the same machine gives the same bits.

    Source: https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # the switch behind `use_deterministic_algorithms(True)`, which also imports the compiler, seconds in each stage
    torch.set_deterministic_debug_mode("error")
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 keeps 10 bits of the mantissa
    # the check for this flag would fill every empty tensor, also those about to be overwritten
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _multiplies_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if device.type == "cpu" and cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
