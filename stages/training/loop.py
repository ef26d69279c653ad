"""The training loop: the data on the device, whole batches, no synchronisation inside a step."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stages.compute.device import Machine, memory_told
from stages.compute.keyed import seed_for
from stages.params.training import Train
from stages.project.console import Refusal, bar
from stages.training.history import Epoch
from stages.training.layer_figures import Layer
from stages.training.learner import Learner
from stages.training.optimizers import rate_at
from stages.training.outcome import Outcome
from stages.training.probe import probe
from stages.training.random_state import random_state, set_random_state
from stages.training.resume import Keeper, State
from stages.training.sums import Sums
from stages.training.task import Task
from stages.training.validation import validate
from stages.training.world import ALONE, World

_SECONDS_BETWEEN_LOSSES_SHOWN = 1.0


def fit(
    task: Task,
    settings: Train,
    machine: Machine,
    after_epoch: Callable[[Epoch], None],
    keeper: Keeper | None = None,
    world: World = ALONE,
) -> Outcome:
    """Train, validating after every epoch; stop early when `patience` epochs brought nothing better.

    Args:
        task: network and data.
        settings: the model's `train` section.
        machine: device and precision.
        after_epoch: called with every epoch's figures; what it raises ends the training.
        keeper: of the state; a training that was interrupted goes on from there, to the same bits.
        world: the ranks that train together; the outcome is the same in all.

    Raises:
        Refusal: the loss is not finite, the device's memory ran out, or the network cannot be compiled.
    """
    train = f"models.{task.name}.train"
    try:
        with memory_told(f"; lower {train}.batch_size (it is {settings.batch_size})"):
            return _Training(task, settings, machine, keeper, world).run(after_epoch)
    except RuntimeError as error:
        if not type(error).__module__.startswith("torch._dynamo"):
            raise
        reason = str(error).strip().splitlines()[0]
        raise Refusal(f"{train}.compile: torch.compile failed ({reason}); set it to false") from error


class _Training:
    """A training at a step of an epoch; `state` is all that the steps after it depend on."""

    def __init__(self, task: Task, settings: Train, machine: Machine, keeper: Keeper | None, world: World) -> None:
        self._task, self._settings, self._machine, self._keeper, self._world = task, settings, machine, keeper, world
        self._learner = Learner(task, settings, machine, world)
        self._steps = task.train.steps(settings.batch_size)
        self._outcome = Outcome()
        self._epoch, self._step = 1, 0  # of the next step
        self._sums = Sums.zero(self._steps, machine.device)
        if keeper and (state := keeper.load()):
            self._restore(state)
        else:
            self._outcome.layers += self._probe(0)

    def run(self, after_epoch: Callable[[Epoch], None]) -> Outcome:
        """Train to the end."""
        with bar(self._settings.epochs * self._steps, self._task.name, "step", hidden=self._world.rank > 0) as shown:
            shown.update(self._done())
            while not self._finished():
                shown.set_description(f"{self._task.name} epoch {self._epoch}/{self._settings.epochs}", refresh=False)
                self._train_epoch(shown)
                epoch = self._end_epoch()
                after_epoch(epoch)
                if self._keeper:
                    self._keeper.after_epoch(self._state, last=self._finished())
                figures = f"loss {epoch.train_loss:.4f}, validation accuracy {epoch.val_accuracy:.4f}"
                shown.set_postfix_str(figures, refresh=False)
        return self._outcome

    def _done(self) -> int:
        """Steps before the next one."""
        return (self._epoch - 1) * self._steps + self._step

    def _finished(self) -> bool:
        best, patience = self._outcome.best, self._settings.patience
        exhausted = best is not None and 0 < patience <= self._epoch - 1 - best.epoch
        return exhausted or self._epoch > self._settings.epochs

    def _train_epoch(self, shown: Any) -> None:
        """The steps of the epoch that are still to be done."""
        task, settings, epoch = self._task, self._settings, self._epoch
        if self._step == 0:
            self._learner.begin_streams()
            rank = [self._world.rank] if self._world.rank else []  # rank 0 draws as one process alone does
            torch.manual_seed(seed_for(task.seed, "dropout", epoch, *rank))
        told = time.monotonic()
        task.network.train()
        for batch in task.train.batches(settings.batch_size, task.seed, epoch, self._step):
            loss, right = self._learner.step(batch, self._rate(self._step), self._done())
            self._sums.add(self._step, loss, len(batch.targets), right)
            self._step += 1
            shown.update(1)
            if self._keeper and self._step < self._steps:
                self._keeper.after_step(self._state)
            if time.monotonic() - told > _SECONDS_BETWEEN_LOSSES_SHOWN:  # reading the loss waits for the device
                self._show(shown)
                told = time.monotonic()

    def _show(self, shown: Any) -> None:
        loss, right = self._sums.losses[self._step - 1].item(), self._sums.correct / self._sums.counts.sum()
        right *= self._world.size  # of its own rows among all
        shown.set_postfix_str(f"loss {loss:.4f}, accuracy {right.item():.4f}", refresh=False)

    def _end_epoch(self) -> Epoch:
        """Figures of the epoch whose steps are done; the next step is the first of the next epoch."""
        task, world = self._task, self._world
        losses = world.sum(self._sums.losses) / world.size
        self._refuse_infinite(losses)
        rows, rate = self._sums.counts.sum().item(), self._rate(self._steps - 1)
        loss, right = (losses * self._sums.counts).sum().item(), world.sum(self._sums.correct).item()
        network = self._learner.network
        validated, decay = validate(network, task, self._machine, world), self._settings.weight_decay
        epoch = Epoch(self._epoch, rate, loss / rows, right / rows, *validated, decay)
        if not math.isfinite(epoch.val_loss):
            raise self._not_finite("validation loss", self._steps - 1)
        self._outcome.add(epoch, network)
        self._outcome.layers += self._probe(self._epoch)
        self._epoch, self._step = self._epoch + 1, 0
        self._sums = Sums.zero(self._steps, self._machine.device)
        return epoch

    def _probe(self, epoch: int) -> list[Layer]:
        """No more rows than a step has: they fit into the memory, and take no longer."""
        return probe(self._task, epoch, max(1, self._settings.batch_size // self._world.size))

    def _rate(self, step: int) -> float:
        """The learning rate of a step of this epoch."""
        return rate_at((self._epoch - 1) * self._steps + step, self._settings.epochs * self._steps, self._settings)

    def _refuse_infinite(self, losses: Tensor) -> None:
        broken = (~torch.isfinite(losses)).nonzero()
        if len(broken):
            raise self._not_finite("loss", int(broken[0]))

    def _not_finite(self, what: str, step: int) -> Refusal:
        name, rate = self._task.name, self._rate(step)
        return Refusal(
            f"the {what} of {name} is not finite from epoch {self._epoch}, step {step + 1} of {self._steps} on, "
            f"at a learning rate of {rate:.3g}; lower models.{name}.train.lr or set models.{name}.train.clip_norm"
        )

    def _state(self) -> State:
        own = {"random": random_state(self._machine.device), "sums": self._sums.on_cpu()}
        return {
            "epoch": self._epoch,
            "step": self._step,
            **self._learner.state(),
            "ranks": self._world.gather(own),
            **self._outcome.state(),
        }

    def _restore(self, state: State) -> None:
        self._epoch, self._step = state["epoch"], state["step"]
        self._learner.restore(state)
        own = state["ranks"][self._world.rank]
        set_random_state(self._machine.device, own["random"])
        self._sums = Sums(**{name: tensor.to(self._machine.device) for name, tensor in own["sums"].items()})
        self._outcome = Outcome.restored(state)
