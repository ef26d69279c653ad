"""The training loop: the data on the device, whole batches, no synchronisation inside a step."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
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
from stages.training.optimizers import build_optimizer, rate_at, set_rate

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


def fit(task: Task, settings: Train, machine: Machine, after_epoch: Callable[[Epoch], None]) -> Outcome:
    """Train, validating after every epoch; stop early when `patience` epochs brought nothing better.

    Args:
        task: network and data.
        settings: the model's `train` section.
        machine: device and precision.
        after_epoch: called with every epoch's figures; what it raises ends the training.

    Raises:
        Refusal: the loss is not finite, or the device's memory ran out.
    """
    try:
        return _fit(task, settings, machine, after_epoch)
    except RuntimeError as error:
        if not out_of_memory(error):
            raise
        key = f"models.{task.name}.train.batch_size"
        raise Refusal(f"the device's memory ran out; lower {key} (it is {settings.batch_size})") from error


def _fit(task: Task, settings: Train, machine: Machine, after_epoch: Callable[[Epoch], None]) -> Outcome:
    optimizer = build_optimizer(task.network, settings)
    steps = task.train.steps(settings.batch_size)
    outcome = Outcome()
    with bar(settings.epochs * steps, task.name, unit="step") as shown:
        for number in range(1, settings.epochs + 1):
            shown.set_description(f"{task.name} epoch {number}/{settings.epochs}", refresh=False)
            trained = _train_epoch(task, settings, machine, optimizer, number, shown)
            epoch = Epoch(number, optimizer.param_groups[0]["lr"], *trained, *_validate(task, machine))
            if not math.isfinite(epoch.val_loss):
                raise _not_finite(task.name, "validation loss", number, steps - 1, steps, settings)
            outcome.add(epoch, task.network)
            after_epoch(epoch)
            figures = f"loss {epoch.train_loss:.4f}, validation accuracy {epoch.val_accuracy:.4f}"
            shown.set_postfix_str(figures, refresh=False)
            if _exhausted(outcome, settings.patience):
                break
    return outcome


def _exhausted(outcome: Outcome, patience: int) -> bool:
    best = outcome.best.epoch if outcome.best else 0
    return patience > 0 and outcome.history[-1].epoch - best >= patience


def _train_epoch(
    task: Task, settings: Train, machine: Machine, optimizer: torch.optim.Optimizer, epoch: int, shown: Any
) -> tuple[float, float]:
    """Mean loss and accuracy over the epoch's training images, as they were trained."""
    torch.manual_seed(seed_for(task.seed, "dropout", epoch))
    steps = task.train.steps(settings.batch_size)
    losses = torch.zeros(steps, device=machine.device)
    counts = torch.zeros(steps, device=machine.device)
    correct = torch.zeros((), dtype=torch.int64, device=machine.device)
    told = time.monotonic()
    task.network.train()
    for step, (inputs, targets) in enumerate(task.train.shuffled(settings.batch_size, task.seed, epoch)):
        set_rate(optimizer, rate_at((epoch - 1) * steps + step, settings.epochs * steps, settings))
        loss, logits = _step(task, settings, machine, optimizer, task.to_train(inputs, epoch, step), targets)
        losses[step], counts[step] = loss, len(targets)
        correct += (logits.argmax(1) == targets).sum()
        shown.update(1)
        if time.monotonic() - told > _SECONDS_BETWEEN_LOSSES_SHOWN:  # reading the loss waits for the device
            right = correct.item() / counts.sum().item()
            shown.set_postfix_str(f"loss {loss.item():.4f}, accuracy {right:.4f}", refresh=False)
            told = time.monotonic()
    _refuse_infinite(task.name, losses, epoch, settings)
    return (losses * counts).sum().item() / len(task.train), correct.item() / len(task.train)


def _step(
    task: Task, settings: Train, machine: Machine, optimizer: torch.optim.Optimizer, inputs: Tensor, targets: Tensor
) -> tuple[Tensor, Tensor]:
    """One update of the weights; the loss and the logits, detached."""
    with machine.autocast():
        logits = task.network(inputs)
    loss = cross_entropy(logits.float(), targets, weight=task.class_weights, label_smoothing=settings.label_smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    if settings.clip_norm:
        nn.utils.clip_grad_norm_(task.network.parameters(), settings.clip_norm)
    optimizer.step()
    return loss.detach(), logits.detach()


def _refuse_infinite(name: str, losses: Tensor, epoch: int, settings: Train) -> None:
    """Looked at once an epoch: a look at every step would make the device wait."""
    broken = (~torch.isfinite(losses)).nonzero()
    if len(broken):
        raise _not_finite(name, "loss", epoch, int(broken[0]), len(losses), settings)


def _not_finite(name: str, what: str, epoch: int, step: int, steps: int, settings: Train) -> Refusal:
    rate = rate_at((epoch - 1) * steps + step, settings.epochs * steps, settings)
    return Refusal(
        f"the {what} of {name} is not finite from epoch {epoch}, step {step + 1} of {steps} on, at a learning rate "
        f"of {rate:.3g}; lower models.{name}.train.lr or set models.{name}.train.clip_norm"
    )


def _validate(task: Task, machine: Machine) -> tuple[float, float]:
    """Mean cross-entropy and accuracy on the validation split."""
    loss, correct = 0.0, 0
    with evaluating(task.network), torch.inference_mode():
        for inputs, targets in task.val.in_order(rows_at_once(task.val.shape)):
            with machine.autocast():
                logits = task.network(task.to_val(inputs)).float()
            loss += cross_entropy(logits, targets, reduction="sum").item()
            correct += int((logits.argmax(1) == targets).sum())
    return loss / len(task.val), correct / len(task.val)
