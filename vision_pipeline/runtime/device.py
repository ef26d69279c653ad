"""The device, precision and threads of a stage, its determinism, copies to its device and its turn at the CPU."""

import os
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import KW_ONLY, dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from vision_pipeline.core.errors import ConfigError, UserError
from vision_pipeline.core.locks import cpu_slot, lock_first_free
from vision_pipeline.core.logging import logger
from vision_pipeline.core.system import count_available_cpus


@dataclass(frozen=True)
class Runtime:
    """The device, precision and threads of a stage; all three are part of a training's fingerprint.

    Attributes:
        device: where tensors live.
        precision: "fp32" or "bf16" (autocast; weights stay fp32).
        threads: CPU threads. Their number changes how sums are split, and so the last bits of weights.
        device_name: name of the processor or GPU, for people.
        precision_reason: "asked for", or the feature of the device for which the precision was chosen.
        deterministic: whether the same work gives the same bits each time.
    """

    device: torch.device
    precision: str
    threads: int
    device_name: str
    _: KW_ONLY
    precision_reason: str = "asked for"
    deterministic: bool = True

    def metadata(self) -> dict[str, str | int]:
        """Return the entries that a run records of its machine."""
        return {
            "device": self.device.type,
            "machine": self.device_name,
            "precision": self.precision,
            "precision_by": self.precision_reason,
            "threads": self.threads,
            "deterministic": self.deterministic,
        }

    @property
    def max_parallel_stages(self) -> int:
        """Number of stages like this one that the processor can serve at once, at least 1; a GPU needs one core."""
        threads = self.threads if self.device.type == "cpu" else 1
        return max(1, count_available_cpus() // threads)

    def autocast(self) -> AbstractContextManager[object]:
        """Return the context in which forward passes run."""
        if self.precision == "fp32":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)


def setup_runtime(
    device: str, precision: str, threads: int, *, has_convolutions: bool, deterministic: bool = True
) -> Runtime:
    """Choose the device and configure torch from the params `device`, `precision`, `threads` and `deterministic`.

    Args:
        device: "auto", "cuda", "mps" or "cpu".
        precision: "fp32", "bf16", or "auto": bf16 for networks with convolutions on a device that is faster with it
            (`_BF16_SUPPORT`), else fp32. Small fully connected networks gain nothing from bf16.
        threads: CPU threads; 0 for one per core.
        has_convolutions: whether the network has convolutions.
        deterministic: whether the same work gives the same bits each time.

    Raises:
        ConfigError: this machine lacks the requested device.
    """
    torch_device = _resolve_device(device)
    if torch_device.type == "cuda" and "LOCAL_RANK" not in os.environ:  # a rank has its own
        _take_gpu(torch.cuda.device_count())
    torch.set_num_threads(threads or count_available_cpus())
    set_determinism(deterministic)
    reason = "asked for"
    if precision == "auto":
        precision, reason = _choose_precision(torch_device, has_convolutions)
    runtime = Runtime(
        torch_device, precision, torch.get_num_threads(), _get_device_name(torch_device),
        precision_reason=reason, deterministic=deterministic,
    )  # fmt: skip
    logger.debug(f"runtime: {runtime.metadata()}")
    return runtime


@contextmanager
def catch_oom(advice: str) -> Iterator[None]:
    """Turn the error of a device whose memory runs out inside the block into one line.

    Args:
        advice: the line's end, such as "; lower KEY".

    Raises:
        UserError: the device's memory ran out.
    """
    try:
        yield
    except RuntimeError as error:
        if not _is_out_of_memory(error):
            raise
        raise UserError(f"the device's memory ran out{advice}") from error


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Return whether an error says that the device's memory ran out; only CUDA has an error of its own for it."""
    text = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in text or "can't allocate memory" in text


def _resolve_device(requested: str) -> torch.device:
    availability = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if requested == "auto":
        return torch.device(next(kind for kind, present in availability.items() if present))
    if not availability[requested]:
        available_kinds = ", ".join(kind for kind, present in availability.items() if present)
        raise ConfigError(
            f"params.yaml: device is {requested!r}, which this machine lacks; it has: {available_kinds} (or use auto)"
        )
    return torch.device(requested)


def _take_gpu(count: int) -> None:
    """Select the first GPU that no other stage of this repository has; where all are taken, share one."""
    if count > 1:
        free = lock_first_free([f"gpu-{number}" for number in range(count)])
        torch.cuda.set_device(os.getpid() % count if free is None else free)


def set_determinism(deterministic: bool) -> None:
    """Choose deterministic algorithms, which give the same bits on the same machine, or the fastest ones.

    Source: https://docs.pytorch.org/docs/stable/notes/randomness.html
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # `use_deterministic_algorithms(True)` would set the same and import the compiler, which takes seconds in each stage
    torch.set_deterministic_debug_mode("error" if deterministic else "default")
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = False  # fp32 means fp32: TF32 keeps 10 bits of the mantissa
    # with this flag, torch would fill every empty tensor, also those that are overwritten next
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


# Where networks with convolutions train faster in bf16: the kind of device, what it must have, how to tell.
# CPU: AVX512_BF16 measured, 2.4 to 3.6 times fp32 (AMD Zen 4); AMX multiplies matrices of bf16 only faster still.
# CUDA: tensor cores take bf16 from Ampere on; older ones emulate it. MPS: not measured, so fp32.
_BF16_SUPPORT: list[tuple[str, str, Callable[[torch.device], bool]]] = [
    ("cuda", "compute capability 8.0", lambda device: torch.cuda.get_device_capability(device) >= (8, 0)),
    ("cpu", "AMX", lambda device: bool(torch.cpu._is_amx_tile_supported())),
    ("cpu", "AVX512_BF16", lambda device: bool(torch.cpu._is_avx512_bf16_supported())),
]


def _choose_precision(device: torch.device, has_convolutions: bool) -> tuple[str, str]:
    """Return the precision that suits device and network, and the reason."""
    if not has_convolutions:
        return "fp32", "no convolutions"
    for kind, feature, is_supported in _BF16_SUPPORT:
        if kind == device.type and is_supported(device):
            return "bf16", feature
    return "fp32", "no fast bf16"


def _get_device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if device.type == "cpu" and cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def to_device_async(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor of the CPU to `device`; return the same tensor where that is the CPU.

    A plain `to` makes the CPU wait until a GPU has finished all earlier work; this call only queues the copy. CUDA
    stages memory that is not pinned, so the caller may change the tensor after the call.
    """
    return tensor.to(device, non_blocking=device.type == "cuda")


def cpu_slot_for(
    network: nn.Module, runtime: Runtime, on_wait: Callable[[], None] = lambda: None
) -> AbstractContextManager[None]:
    """Return a context that holds one of the machine's CPU slots for a network with convolutions.

    The context of another network holds nothing. The reason and `on_wait` are described at `cpu_slot`. Measured on 2
    cores: the test of a SpeedNet took 81 seconds beside DenseNet121's features, 45 alone; the export of that
    DenseNet121 412 beside others, 225 alone.
    """
    if any(isinstance(module, nn.Conv2d) for module in network.modules()):
        return cpu_slot(runtime.max_parallel_stages, on_wait)
    return nullcontext()
