"""Start the ranks of one training on this machine, as torchrun does; one line says which of them failed."""

import logging
import os
import sys
from collections.abc import Callable
from tempfile import TemporaryDirectory
from typing import Any
from uuid import uuid4

import torch

from stages.project.console import Refusal
from stages.project.stopping import Stopped

Work = Callable[[str], object]


def processes(devices: int, device: str) -> int:
    """How many processes this one has to start for a training; 1 where it is to train itself.

    Args:
        devices: of params.yaml; 0: one for each GPU.
        device: of params.yaml.
    """
    if "WORLD_SIZE" in os.environ:  # torchrun, or this file, has started them
        return 1
    gpus = torch.cuda.device_count() if device in ("auto", "cuda") else 0
    return devices or max(gpus, 1)


def launch(work: Work, name: str, count: int) -> None:
    """Call `work(name)` in `count` processes, which find each other by a port that the system chooses.

    Raises:
        Refusal: one of them failed; the message says which and why, and the others were ended.
        Stopped: by a signal, which the processes were told.
    """
    from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a remark on speed from every rank
    logging.disable()  # of the launcher, which says in many lines what is said below in one
    with TemporaryDirectory() as folder:
        config = LaunchConfig(
            min_nodes=1, max_nodes=1, nproc_per_node=count, run_id=uuid4().hex, max_restarts=0,
            rdzv_backend="c10d", rdzv_endpoint="localhost:0", logs_specs=DefaultLogsSpecs(log_dir=folder),
        )  # fmt: skip
        try:
            elastic_launch(config, _process)(work, name)
        except SignalException as stopped:
            raise Stopped(f"stopped by {stopped.sigval.name}") from None
        except ChildFailedError as failed:
            raise _refusal(name, *failed.get_first_failure()) from None


def _process(work: Work, name: str) -> None:
    os.setsid()  # Ctrl-C is for the launcher, which passes it on: a second one would end this rank at once
    work(name)


def _refusal(name: str, rank: int, failure: Any) -> Refusal:
    """What a rank refused, or how it ended; the traceback of what no code expects is printed."""
    told: dict[str, Any] = failure.message if isinstance(failure.message, dict) else {"message": failure.message}
    kind, _, text = told["message"].partition(": ")
    if kind in (Refusal.__name__, Stopped.__name__):
        return Refusal(text)
    if "extraInfo" in told:
        print(told["extraInfo"]["py_callstack"], file=sys.stderr, flush=True)
    return Refusal(
        f"rank {rank} of {name}'s training ended with exit code {failure.exitcode} ({told['message']}), and the others "
        "with it; run it again: it goes on from its last state"
    )
