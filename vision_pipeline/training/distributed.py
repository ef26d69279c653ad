"""Several processes (ranks) of one training: started by torchrun on one machine or many, or by `launch_ranks` on this.

Batch norm normalises over a rank's own rows, as is usual; the running averages are those of rank 0.
"""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from vision_pipeline.core.errors import ArtifactError, ConfigError, DataError, UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext

RankMain = Callable[[str], object]

_RANK_TIMEOUT = timedelta(seconds=50)  # for a rank that hangs, or whose machine is gone
_FAILURE_DELAY_SECONDS = 3.0  # the launcher reports the rank that ends first, which must be the one that died
_GLOO_ERRORS = ("gloo", "pair closure")  # words of gloo's errors, which have no class of their own
_ERROR_CLASSES: dict[str, type[UserError]] = {  # expected errors of a rank, which cross to the launcher by name
    error_class.__name__: error_class for error_class in (UserError, ConfigError, DataError, ArtifactError, Interrupted)
}


class MultiProcessContext(DistributedContext):
    """Several ranks; every method but `shard` must be called by all of them, in the same order."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def local_runtime(self, runtime: Runtime) -> Runtime:
        """Return the runtime with an even share of the CPU threads, and the GPU that `init_distributed` chose.

        Raises:
            UserError: there are fewer GPUs than ranks.
        """
        local_ranks = int(os.environ["LOCAL_WORLD_SIZE"])
        max_ranks = {"cpu": local_ranks, "cuda": torch.cuda.device_count()}.get(runtime.device.type, 1)
        if local_ranks > max_ranks:
            raise UserError(
                f"{local_ranks} processes are to train here, with {max_ranks} {runtime.device.type} device(s); "
                "lower devices (or torchrun's --nproc-per-node), or set device: cpu"
            )
        torch.set_num_threads(max(1, runtime.threads // local_ranks))
        return replace(runtime, threads=torch.get_num_threads())

    def wrap_ddp(self, network: nn.Module) -> nn.Module:
        # Without this flag the order of the gradients changes after the first step. Then the sums of three ranks and
        # more are rounded differently, and a resumed training, whose first step is another one, ends with other bits.
        return DistributedDataParallel(network, find_unused_parameters=True)

    def all_reduce_sum(self, values: Tensor) -> Tensor:
        total = values.cpu().clone()
        dist.all_reduce(total)
        return total.to(values.device)

    def all_reduce_max(self, value: int) -> int:
        maximum = torch.tensor(value)
        dist.all_reduce(maximum, dist.ReduceOp.MAX)
        return int(maximum)

    def broadcast(self, value: Any) -> Any:
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        gathered = [None] * self.size if self.rank == 0 else None
        dist.gather_object(value, gathered)
        return gathered or []

    def broadcast_buffers(self, network: nn.Module) -> None:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)


@contextmanager
def init_distributed() -> Iterator[DistributedContext]:
    """Yield the ranks that were started, each with its own GPU where there are GPUs; else a single process.

    Tensors on the CPU are sent by gloo, tensors on a GPU by NCCL.

    Raises:
        UserError: another rank died or hangs. The process group is not destroyed then: no rank would answer.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield SINGLE_PROCESS
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    try:
        # by default torch would take the GPU's backend alone, which sends no tensor on the CPU
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_RANK_TIMEOUT)
        world = MultiProcessContext()
        logger.debug(f"rank {world.rank} of {world.size} has joined the training")
        yield world
        dist.destroy_process_group()
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(phrase in str(error) for phrase in _GLOO_ERRORS):
            raise
        time.sleep(_FAILURE_DELAY_SECONDS)
        reason, rank = str(error).partition("\n")[0], os.environ["RANK"]
        raise UserError(
            f"rank {rank} lost the others: one of them died or hangs ({reason}); run it again: "
            "it goes on from its last state"
        ) from error


def num_processes(devices: int, device: str) -> int:
    """Return the number of processes that this one has to start for a training; 1 where it trains by itself.

    Args:
        devices: `devices` of params.yaml; 0 means one process for each GPU.
        device: `device` of params.yaml.
    """
    if "WORLD_SIZE" in os.environ:  # torchrun, or `launch_ranks`, has started them
        return 1
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return devices or max(gpus, 1)


def launch_ranks(rank_main: RankMain, name: str, num_ranks: int) -> None:
    """Call `rank_main(name)` in `num_ranks` processes, which connect by a port that the system chooses.

    Raises:
        UserError: a process failed; the message says which and why, and the others were ended. An expected error keeps
            its class.
        Interrupted: a signal stopped the training; it was passed on to the processes.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # hides a remark on speed from every rank
    logger.debug(f"{name} is trained by {num_ranks} processes")
    with TemporaryDirectory() as folder, _disabled_logging():
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=num_ranks, run_id=uuid4().hex, max_restarts=0,
            rdzv_backend="c10d", rdzv_endpoint="localhost:0", logs_specs=DefaultLogsSpecs(log_dir=folder),
        )  # fmt: skip
        try:
            elastic_launch(config, _run_rank)(rank_main, name)
        except SignalException as signal_error:
            raise Interrupted(f"stopped by {signal_error.sigval.name}") from None
        except ChildFailedError as child_error:
            raise _failure_to_error(name, *child_error.get_first_failure()) from None


@contextmanager
def _disabled_logging() -> Iterator[None]:
    """Disable logging in this process: torch's launcher reports a failure in many lines, `launch_ranks` in one."""
    previous_level = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(previous_level)


def _run_rank(rank_main: RankMain, name: str) -> None:
    os.setsid()  # Ctrl-C is for the launcher, which passes it on: a second one would end this rank at once
    rank_main(name)


def _failure_to_error(name: str, rank: int, failure: Any) -> UserError:
    """Return the expected error that a rank raised, or one that says how it ended; print an unexpected traceback."""
    payload: dict[str, Any] = failure.message if isinstance(failure.message, dict) else {"message": failure.message}
    error_type, _, message = payload["message"].partition(": ")
    if error_class := _ERROR_CLASSES.get(error_type):
        return error_class(message)
    if "extraInfo" in payload:
        print(payload["extraInfo"]["py_callstack"], file=sys.stderr, flush=True)
    return UserError(
        f"rank {rank} of {name}'s training ended with exit code {failure.exitcode} ({payload['message']}), "
        "and the others with it; run it again: it goes on from its last state"
    )
