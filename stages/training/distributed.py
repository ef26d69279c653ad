"""Several processes (ranks) of one training, on one machine or many, under torchrun or `launch`.

Batch norm normalises over a rank's own rows, as is usual; the running averages are those of rank 0.
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

_SILENCE = timedelta(seconds=50)  # of a rank that hangs, or whose machine is gone
_HEAD_START = 3.0  # seconds; the launcher blames the rank that ends first, which is to be the one that died
_LOST = ("gloo", "pair closure")  # what gloo's errors say, which have no class of their own


class Ranks(World):
    """Several ranks; every method but `shard` must be called by all of them, in the same order."""

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def share(self, machine: Machine) -> Machine:
        """Its even share of the CPU threads, and the GPU that `joined` chose.

        Raises:
            Refusal: there are fewer GPUs than ranks.
        """
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        there = {"cpu": here, "cuda": torch.cuda.device_count()}.get(machine.device.type, 1)
        if here > there:
            raise Refusal(
                f"{here} processes are to train here, with {there} {machine.device.type} device(s); "
                "lower devices (or torchrun's --nproc-per-node), or set device: cpu"
            )
        torch.set_num_threads(max(1, machine.threads // here))
        return replace(machine, threads=torch.get_num_threads())

    def replicated(self, network: nn.Module) -> nn.Module:
        # Without this flag the gradients are put in another order after the first step. So the sums of three ranks and
        # more are rounded in another way, and a resumed training, whose first step is another one, has other bits.
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
    """Join the ranks that were started, each with a GPU of its own where there are GPUs; alone where none were.

    What lies on the CPU is sent by gloo, what lies on a GPU by NCCL.

    Raises:
        Refusal: another rank died or hangs. Nothing is torn down then: nobody would answer.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    try:
        # by itself torch would take the GPU's alone, and then send nothing that lies on the CPU
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo", timeout=_SILENCE)
        yield Ranks()
        dist.destroy_process_group()
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(word in str(error) for word in _LOST):
            raise
        time.sleep(_HEAD_START)
        reason, rank = str(error).partition("\n")[0], os.environ["RANK"]
        raise Refusal(
            f"rank {rank} lost the others: one of them died or hangs ({reason}); run it again: "
            "it goes on from its last state"
        ) from error
