"""The training loop: the data on the device, whole batches, no synchronisation inside a step."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from stages.compute.device import Machine, out_of_memory
from stages.compute.inference import evaluating, rows_at_once
from stages.params.schema import Train
from stages.project.console import Refusal, bar
from stages.training.batches import Rows
from stages.training.history import Epoch
from stages.training.keyed import seed_for
from stages.training.optimizers import build_optimizer, rate_at
from stages.training.resume import Keeper, State

_SECONDS_BETWEEN_LOSSES_SHOWN = 1.0


@dataclass(frozen=True)
class Task:
    """What is to be trained.

    Attributes:
        name: of the model, for messages.
        network: on the machine's device, float inputs to logits.
        train, val: the splits.
        to_train: a batch of stored inputs, epoch and step to the network's inputs (augmented, normalised).
        to_val: a batch of stored inputs to the network's inputs.
        class_weights: of the loss, float32 (classes,), or None.
        seed: of order, augmentation and dropout.
    """

    name: str
    network: nn.Module
    train: Rows
    val: Rows
    to_train: Callable[[Tensor, int, int], Tensor]
    to_val: Callable[[Tensor], Tensor]
    class_weights: Tensor | None
    seed: int


@dataclass
class Outcome:
    """What came of a training: the weights of the best epoch by validation, and every epoch's figures."""

    weights: dict[str, Tensor] = field(default_factory=dict)
    best: Epoch | None = None
    history: list[Epoch] = field(default_factory=list)

    def add(self, epoch: Epoch, network: nn.Module) -> None:
        """Record an epoch; keep a copy of the network's weights when it is the best so far."""
        self.history.append(epoch)
        if epoch.better_than(self.best):
            self.best = epoch
            self.weights = {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}

    def state(self) -> State:
        """It as plain values and tensors."""
        best, history = self.best.epoch if self.best else 0, [asdict(epoch) for epoch in self.history]
        return {"history": history, "best": best, "best_weights": self.weights}

    @classmethod
    def restored(cls, state: State) -> "Outcome":
        """What `state` gave."""
        history = [Epoch(**epoch) for epoch in state["history"]]
        best = next((epoch for epoch in history if epoch.epoch == state["best"]), None)
        return cls(state["best_weights"], best, history)


@dataclass
class Sums:
    """What the steps of an epoch add up to, on the device: a look at it would make the device wait."""

    losses: Tensor
    counts: Tensor
    correct: Tensor

    @classmethod
    def zero(cls, steps: int, device: torch.device) -> "Sums":
        """Before the first of `steps` steps."""
        losses, counts = (torch.zeros(steps, device=device) for _ in range(2))
        return cls(losses, counts, torch.zeros((), dtype=torch.int64, device=device))


def fit(
    task: Task, settings: Train, machine: Machine, after_epoch: Callable[[Epoch], None], keeper: Keeper | None = None
) -> Outcome:
    """Train, validating after every epoch; stop early when `patience` epochs brought nothing better.

    Args:
        task: network and data.
        settings: the model's `train` section.
        machine: device and precision.
        after_epoch: called with every epoch's figures; what it raises ends the training.
        keeper: of the state; a training that was interrupted goes on from there, to the same bits.

    Raises:
        Refusal: the loss is not finite, or the device's memory ran out.
    """
    try:
        return _Training(task, settings, machine, keeper).run(after_epoch)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        key = f"models.{task.name}.train.batch_size"
        raise Refusal(f"the device's memory ran out; lower {key} (it is {settings.batch_size})") from error


class _Training:
    """A training at a step of an epoch; `state` is all that the steps after it depend on."""

    def __init__(self, task: Task, settings: Train, machine: Machine, keeper: Keeper | None) -> None:
        self._task, self._settings, self._machine, self._keeper = task, settings, machine, keeper
        self._optimizer = build_optimizer(task.network, settings)
        self._steps = task.train.steps(settings.batch_size)
        self._outcome = Outcome()
        self._epoch, self._step = 1, 0  # of the next step
        self._sums = Sums.zero(self._steps, machine.device)
        if keeper and (state := keeper.load()):
            self._restore(state)

    def run(self, after_epoch: Callable[[Epoch], None]) -> Outcome:
        """Train to the end."""
        done = (self._epoch - 1) * self._steps + self._step
        with bar(self._settings.epochs * self._steps, self._task.name, unit="step") as shown:
            shown.update(done)
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

    def _finished(self) -> bool:
        best, patience = self._outcome.best, self._settings.patience
        exhausted = best is not None and 0 < patience <= self._epoch - 1 - best.epoch
        return exhausted or self._epoch > self._settings.epochs

    def _train_epoch(self, shown: Any) -> None:
        """The steps of the epoch that are still to be done."""
        task, settings, epoch = self._task, self._settings, self._epoch
        if self._step == 0:
            torch.manual_seed(seed_for(task.seed, "dropout", epoch))
        told = time.monotonic()
        task.network.train()
        for inputs, targets in task.train.shuffled(settings.batch_size, task.seed, epoch, self._step):
            self._train_step(task.to_train(inputs, epoch, self._step), targets)
            self._step += 1
            shown.update(1)
            if self._keeper and self._step < self._steps:
                self._keeper.after_step(self._state)
            if time.monotonic() - told > _SECONDS_BETWEEN_LOSSES_SHOWN:  # reading the loss waits for the device
                self._show(shown)
                told = time.monotonic()

    def _train_step(self, inputs: Tensor, targets: Tensor) -> None:
        """One update of the weights."""
        task, settings = self._task, self._settings
        with self._machine.autocast():
            logits = task.network(inputs)
        smoothing = settings.label_smoothing
        loss = cross_entropy(logits.float(), targets, weight=task.class_weights, label_smoothing=smoothing)
        self._optimizer.zero_grad()
        loss.backward()
        if settings.clip_norm:
            nn.utils.clip_grad_norm_(task.network.parameters(), settings.clip_norm)
        self._optimizer.step(self._rate(self._step))
        self._sums.losses[self._step], self._sums.counts[self._step] = loss.detach(), len(targets)
        self._sums.correct += (logits.detach().argmax(1) == targets).sum()

    def _show(self, shown: Any) -> None:
        loss, right = self._sums.losses[self._step - 1].item(), self._sums.correct / self._sums.counts.sum()
        shown.set_postfix_str(f"loss {loss:.4f}, accuracy {right.item():.4f}", refresh=False)

    def _end_epoch(self) -> Epoch:
        """Figures of the epoch whose steps are done; the next step is the first of the next epoch."""
        self._refuse_infinite(self._sums.losses)
        rows, rate = len(self._task.train), self._rate(self._steps - 1)
        loss, right = (self._sums.losses * self._sums.counts).sum().item(), self._sums.correct.item()
        validated = validate(self._task, self._machine)
        epoch = Epoch(self._epoch, rate, loss / rows, right / rows, *validated, self._settings.weight_decay)
        if not math.isfinite(epoch.val_loss):
            raise self._not_finite("validation loss", self._steps - 1)
        self._outcome.add(epoch, self._task.network)
        self._epoch, self._step = self._epoch + 1, 0
        self._sums = Sums.zero(self._steps, self._machine.device)
        return epoch

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
        return {
            "epoch": self._epoch,
            "step": self._step,
            "network": self._task.network.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "random": _random_state(self._machine.device),
            "sums": vars(self._sums),
            **self._outcome.state(),
        }

    def _restore(self, state: State) -> None:
        self._epoch, self._step = state["epoch"], state["step"]
        self._task.network.load_state_dict(state["network"])
        self._optimizer.load_state_dict(state["optimizer"])
        _set_random_state(self._machine.device, state["random"])
        self._sums = Sums(**{name: tensor.to(self._machine.device) for name, tensor in state["sums"].items()})
        self._outcome = Outcome.restored(state)


def _random_state(device: torch.device) -> Tensor:
    """Of the generator that dropout draws from on a device."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def _set_random_state(device: torch.device, state: Tensor) -> None:
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)


def validate(task: Task, machine: Machine) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the validation split."""
    loss, correct = 0.0, 0
    with evaluating(task.network), torch.inference_mode():
        for inputs, targets in task.val.in_order(rows_at_once(task.val.shape)):
            with machine.autocast():
                logits = task.network(task.to_val(inputs)).float()
            loss += cross_entropy(logits, targets, reduction="sum").item()
            correct += int((logits.argmax(1) == targets).sum())
    return loss / len(task.val), correct / len(task.val)
