"""A task trained as its settings ask: by steps, or by a search for the minimum."""

from collections.abc import Callable
from contextlib import nullcontext

from stages.compute.device import Machine
from stages.compute.turns import turn_for
from stages.params.training import AnyTrain, Lbfgs
from stages.project.stopping import StopFlag
from stages.training.history import Epoch
from stages.training.lbfgs import fit_regression
from stages.training.loop import fit
from stages.training.outcome import Outcome
from stages.training.resume import Keeper
from stages.training.task import Task
from stages.training.world import World


def fit_task(
    task: Task,
    settings: AnyTrain,
    machine: Machine,
    after_epoch: Callable[[Epoch], None],
    keeper: Keeper,
    world: World,
    stop: StopFlag,
) -> Outcome:
    """As `fit`, or as `fit_regression` for L-BFGS; a network with convolutions waits for its turn at the cores.

    Args:
        task, settings, machine, after_epoch, keeper, world: as of both.
        stop: ends the waiting.
    """
    # several processes of one training share the cores by themselves
    with turn_for(task.network, machine, stop.check) if world.size == 1 else nullcontext():
        if isinstance(settings, Lbfgs):
            return fit_regression(task, settings, machine, after_epoch, keeper, world)
        return fit(task, settings, machine, after_epoch, keeper, world)
