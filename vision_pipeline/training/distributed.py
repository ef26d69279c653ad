"""Several processes (ranks) of one training, on one machine or many, under torchrun or `launch`.

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

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext

_RANK_TIMEOUT = timedelta(seconds=50)  # of a rank that hangs, or whose machine is gone
_FAILURE_DELAY_SECONDS = 3.0  # seconds; the launcher blames the rank that ends first, which is to be the one that died
_GLOO_ERRORS = ("gloo", "pair closure")  # what gloo's errors say, which have no class of their own


class MultiProcessContext(DistributedContext):
    """Several ranks; every method but `shard` must be called by all of them, in the same order."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def local_runtime(self, runtime: Runtime) -> Runtime:
        """Its even share of the CPU threads, and the GPU that `joined` chose.

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
        # Without this flag the gradients are put in another order after the first step. So the sums of three ranks and
        # more are rounded in another way, and a resumed training, whose first step is another one, has other bits.
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
    """Join the ranks that were started, each with a GPU of its own where there are GPUs; alone where none were.

    What lies on the CPU is sent by gloo, what lies on a GPU by NCCL.

    Raises:
        UserError: another rank died or hangs. Nothing is torn down then: nobody would answer.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield SINGLE_PROCESS
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    try:
        # by itself torch would take the GPU's alone, and then send nothing that lies on the CPU
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_RANK_TIMEOUT)
        yield MultiProcessContext()
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


# MERGED Start the ranks of one training on this machine, as torchrun does; one line says which of them failed.
RankMain = Callable[[str], object]


def num_processes(devices: int, device: str) -> int:
    """How many processes this one has to start for a training; 1 where it is to train itself.

    Args:
        devices: of params.yaml; 0: one for each GPU.
        device: of params.yaml.
    """
    if "WORLD_SIZE" in os.environ:  # torchrun, or this file, has started them
        return 1
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return devices or max(gpus, 1)


def launch_ranks(rank_main: RankMain, name: str, num_ranks: int) -> None:
    """Call `work(name)` in `num_ranks` processes, which find each other by a port that the system chooses.

    Raises:
        UserError: one of them failed; the message says which and why, and the others were ended.
        Stopped: by a signal, which the processes were told.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a remark on speed from every rank
    logging.disable()  # of the launcher, which says in many lines what is said below in one
    with TemporaryDirectory() as folder:
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


def _run_rank(rank_main: RankMain, name: str) -> None:
    os.setsid()  # Ctrl-C is for the launcher, which passes it on: a second one would end this rank at once
    rank_main(name)


def _failure_to_error(name: str, rank: int, failure: Any) -> UserError:
    """What a rank refused, or how it ended; the traceback of what no code expects is printed."""
    payload: dict[str, Any] = failure.message if isinstance(failure.message, dict) else {"message": failure.message}
    error_type, _, message = payload["message"].partition(": ")
    if error_type in (UserError.__name__, Interrupted.__name__):
        return UserError(message)
    if "extraInfo" in payload:
        print(payload["extraInfo"]["py_callstack"], file=sys.stderr, flush=True)
    return UserError(
        f"rank {rank} of {name}'s training ended with exit code {failure.exitcode} ({payload['message']}), and the others "
        "with it; run it again: it goes on from its last state"
    )
