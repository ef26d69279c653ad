"""The training loop: the data on the device, whole batches, no synchronisation inside a step."""

import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from stages.compute.device import Machine, memory_told
from stages.compute.keyed import seed_for
from stages.compute.transfer import sent
from stages.params.training import Train
from stages.project.console import Refusal, bar
from stages.training.average import Average
from stages.training.batches import ALL, Batch
from stages.training.history import Epoch
from stages.training.layer_figures import Layer
from stages.training.loss import Goal, mean_loss
from stages.training.mixing import mix
from stages.training.optimizers import Rate, build_optimizer, rate_at
from stages.training.outcome import Outcome
from stages.training.probe import probe
from stages.training.random_state import random_state, set_random_state
from stages.training.recorded import Recorded
from stages.training.resume import Keeper, State
from stages.training.shard import Shard
from stages.training.streams import Streams
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
        self._optimizer = build_optimizer(task.network, settings)
        self._average = Average(task.network, settings.ema) if settings.ema else None
        self._steps = task.train.steps(settings.batch_size)
        self._outcome = Outcome()
        self._epoch, self._step = 1, 0  # of the next step
        self._sums = Sums.zero(self._steps, machine.device)
        self._carried: Tensor | None = None  # a text's streams' state before the next step; None: zero
        if keeper and (state := keeper.load()):
            self._restore(state)
        else:
            self._outcome.layers += self._probe(0)
        network = world.replicated(task.network)
        self._network = torch.compile(network) if settings.compile else network
        self._recorded = self._recording()

    def _recording(self) -> Recorded | None:
        """Of whole steps, where a GPU may be asked for all of one at once: what mixes draws on the CPU in between."""
        task, settings, world = self._task, self._settings, self._world
        apart = settings.compile or settings.mixup or settings.cutmix or isinstance(task.train, Streams)
        if self._machine.device.type != "cuda" or world.size > 1 or apart:
            return None
        rows = settings.batch_size
        return Recorded(lambda inputs, targets, rate: self._learn(inputs, Goal(targets), world.shard(rows), rate), rows)

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
            self._carried = None
            rank = [self._world.rank] if self._world.rank else []  # rank 0 draws as one process alone does
            torch.manual_seed(seed_for(task.seed, "dropout", epoch, *rank))
        told = time.monotonic()
        task.network.train()
        for batch in task.train.batches(settings.batch_size, task.seed, epoch, self._step):
            self._train_step(batch)
            self._step += 1
            shown.update(1)
            if self._keeper and self._step < self._steps:
                self._keeper.after_step(self._state)
            if time.monotonic() - told > _SECONDS_BETWEEN_LOSSES_SHOWN:  # reading the loss waits for the device
                self._show(shown)
                told = time.monotonic()

    def _train_step(self, batch: Batch) -> None:
        """One update of the weights, by this rank's share of a batch."""
        settings, shard = self._settings, self._world.shard(len(batch.targets))
        inputs, goal = self._mixed(batch) if settings.mixup or settings.cutmix else (None, Goal(batch.targets))
        inputs = self._task.to_train(batch, shard.rows) if inputs is None else inputs[shard.rows]
        rate = self._rate(self._step)
        if self._recorded:
            there = sent(torch.tensor(rate), self._machine.device)
            loss, right = self._recorded(inputs, goal.targets, there)
        else:
            loss, right = self._learn(inputs, goal, shard, rate)
        if self._average:
            self._average.update(self._task.network, self._done())
        self._sums.add(self._step, loss, len(batch.targets), right)

    def _learn(self, inputs: Tensor, goal: Goal, shard: Shard, rate: Rate) -> tuple[Tensor, Tensor]:
        """Update the weights by this rank's inputs of a batch; their mean loss and how many are right, both ()."""
        own, weights = goal.of(shard.rows), self._task.class_weights
        with self._machine.autocast():
            logits = self._logits(inputs).float()
        loss = mean_loss(logits, own, weights, self._settings.label_smoothing)
        loss = shard.of_mean(loss, own.weight(weights), goal.weight(weights))
        self._update(loss, rate)
        return loss.detach(), (logits.detach().argmax(1) == own.targets).sum() * shard.counted

    def _logits(self, inputs: Tensor) -> Tensor:
        """Of each input (N, classes); of a text of each symbol, read on from where the step before it ended."""
        if not isinstance(self._task.train, Streams):
            logits: Tensor = self._network(inputs)
            return logits
        network: Any = self._network
        logits, carried = network.advance(inputs, self._carried)
        self._carried = carried.detach()
        return logits.flatten(0, -2)

    def _mixed(self, batch: Batch) -> tuple[Tensor, Goal]:
        """The whole batch: what is mixed into this rank's inputs may be another's."""
        settings, place = self._settings, (self._task.seed, batch.epoch, batch.step)
        return mix(self._task.to_train(batch, ALL), batch.targets, settings.mixup, settings.cutmix, *place)

    def _update(self, loss: Tensor, rate: Rate) -> None:
        task, settings = self._task, self._settings
        self._optimizer.zero_grad()
        loss.backward()
        if settings.clip_norm:
            nn.utils.clip_grad_norm_(task.network.parameters(), settings.clip_norm)
        self._optimizer.step(rate)

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
        network = self._average.network if self._average else task.network
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
            "network": self._task.network.state_dict(),
            "average": self._average.network.state_dict() if self._average else None,
            "optimizer": self._optimizer.state_dict(),
            "carried": self._carried,
            "ranks": self._world.gather(own),
            **self._outcome.state(),
        }

    def _restore(self, state: State) -> None:
        self._epoch, self._step = state["epoch"], state["step"]
        self._task.network.load_state_dict(state["network"])
        if self._average:
            self._average.network.load_state_dict(state["average"])
        self._optimizer.load_state_dict(state["optimizer"])
        if state["carried"] is not None:
            self._carried = state["carried"].to(self._machine.device)
        own = state["ranks"][self._world.rank]
        set_random_state(self._machine.device, own["random"])
        self._sums = Sums(**{name: tensor.to(self._machine.device) for name, tensor in own["sums"].items()})
        self._outcome = Outcome.restored(state)
