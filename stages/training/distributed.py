"""Several processes of one training, on one machine or many.

Batch norm normalises over a process's own rows, as is usual; the running averages are those of process 0.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from stages.compute.device import Machine
from stages.project.console import Refusal
from stages.training.world import ALONE, World

_SILENCE = timedelta(seconds=60)  # of a process that hangs, or whose machine is gone
_HEAD_START = 3.0  # seconds; the launcher blames the process that ends first, which is to be the one that died


class Ranks(World):
    """Several processes; every method must be called by all of them, in the same order."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def share(self, machine: Machine) -> Machine:
        """Its even share of the CPU threads, and the GPU that `joined` chose.

        Raises:
            Refusal: there are fewer GPUs than processes.
        """
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        there = {"cpu": here, "cuda": torch.cuda.device_count()}.get(machine.device.type, 1)
        if here > there:
            kind = machine.device.type
            raise Refusal(
                f"devices: {here} processes, but this machine has {there} of {kind}; lower it or set device: cpu"
            )
        torch.set_num_threads(max(1, machine.threads // here))
        return replace(machine, threads=torch.get_num_threads())

    def replicated(self, network: nn.Module) -> nn.Module:
        # it would order the gradients anew after the first step, which changes how sums of more than two are rounded:
        # a resumed training would differ; it does not where it looks for parameters without a gradient
        return DistributedDataParallel(network, find_unused_parameters=True)

    def sum(self, values: Tensor) -> Tensor:
        total = values.cpu().clone()
        dist.all_reduce(total)
        return total.to(values.device)

    def highest(self, number: int) -> int:
        found = torch.tensor(number)
        dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def broadcast(self, value: Any) -> Any:
        box = [value]
        dist.broadcast_object_list(box)
        return box[0]

    def gather(self, value: Any) -> list[Any]:
        found = [None] * self.size if self.rank == 0 else None
        dist.gather_object(value, found)
        return found or []

    def broadcast_buffers(self, network: nn.Module) -> None:
        for buffer in network.buffers():
            dist.broadcast(buffer, 0)


@contextmanager
def joined() -> Iterator[World]:
    """Join the processes that torchrun, or `launch`, has started, each with a GPU of its own where there are GPUs.

    CPU tensors go by gloo, those of GPUs by NCCL.

    Raises:
        Refusal: another process died or hangs. Nothing is torn down then: nobody would answer.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    try:
        dist.init_process_group(timeout=_SILENCE)
        yield Ranks()
        dist.destroy_process_group()
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error):
            raise
        time.sleep(_HEAD_START)
        rank = os.environ["RANK"]
        raise Refusal(f"rank {rank} lost the others: one of them died or hangs ({_first_line(error)})") from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
