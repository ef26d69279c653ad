"""The training loop: the data on the device, whole batches, no synchronisation inside a step.

`train_model` chooses between this loop and L-BFGS by the settings.
"""

import math
import time
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from vision_pipeline.config.models import AnyTrainConfig, LbfgsConfig, TrainConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.runtime.device import Runtime, catch_oom, cpu_slot_for
from vision_pipeline.runtime.seeding import derive_torch_seed
from vision_pipeline.training.checkpointing import CheckpointManager, StateDict
from vision_pipeline.training.lbfgs import fit_logistic_regression
from vision_pipeline.training.optimizers import lr_at
from vision_pipeline.training.probe import collect_layer_stats
from vision_pipeline.training.ranks import SINGLE_PROCESS, DistributedContext
from vision_pipeline.training.results import EpochAccumulator, EpochMetrics, LayerStats, TrainResult
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.train_step import TrainStep, validate

_SECONDS_BETWEEN_LOSS_UPDATES = 1.0  # of the progress bar


def train_model(
    task: TrainTask,
    settings: AnyTrainConfig,
    runtime: Runtime,
    *,
    after_epoch: Callable[[EpochMetrics], None],
    checkpointer: CheckpointManager,
    world: DistributedContext,
    shutdown: ShutdownFlag,
) -> TrainResult:
    """Train by `fit`, or by `fit_logistic_regression` for L-BFGS.

    A network with convolutions waits until a slot for heavy work on the processor is free.

    Args:
        task: network and data.
        settings: the model's `train` section.
        runtime: device and precision.
        after_epoch: called with every epoch's metrics; an error that it raises ends the training.
        checkpointer: keeps the state; an interrupted training resumes from there, to the same bits.
        world: the ranks that train together.
        shutdown: flag that ends the waiting.

    Returns:
        The weights of the best epoch by validation, and the metrics of all.

    Raises:
        UserError: as `fit` and `fit_logistic_regression`.
    """
    # several processes of one training share the cores by themselves
    with cpu_slot_for(task.network, runtime, shutdown.check) if world.size == 1 else nullcontext():
        if isinstance(settings, LbfgsConfig):
            return fit_logistic_regression(task, settings, runtime, after_epoch, checkpointer=checkpointer, world=world)
        return fit(task, settings, runtime, after_epoch, checkpointer=checkpointer, world=world)


def fit(
    task: TrainTask,
    settings: TrainConfig,
    runtime: Runtime,
    after_epoch: Callable[[EpochMetrics], None],
    *,
    checkpointer: CheckpointManager | None = None,
    world: DistributedContext = SINGLE_PROCESS,
) -> TrainResult:
    """Train, validating after every epoch; stop early when `patience` epochs brought no improvement.

    Args:
        task: network and data.
        settings: the model's `train` section.
        runtime: device and precision.
        after_epoch: called with every epoch's metrics; an error that it raises ends the training.
        checkpointer: keeps the state; an interrupted training resumes from there, to the same bits.
        world: the ranks that train together.

    Returns:
        The weights of the best epoch by validation, and the metrics of all; the same in all ranks.

    Raises:
        UserError: the loss is not finite, the device's memory ran out, or the network cannot be compiled.
    """
    train_key = f"models.{task.name}.train"
    logger.debug(f"{task.name}: {settings.epochs} epochs on {runtime.device}, {runtime.precision}, seed {task.seed}")
    try:
        with catch_oom(f"; lower {train_key}.batch_size (it is {settings.batch_size})"):
            return Trainer(task, settings, runtime, checkpointer=checkpointer, world=world).run(after_epoch)
    except RuntimeError as error:
        if not type(error).__module__.startswith("torch._dynamo"):
            raise
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{train_key}.compile: torch.compile failed ({reason}); set it to false") from error


class Trainer:
    """The training loop at a step of an epoch; its state dict is all that later steps depend on."""

    def __init__(
        self,
        task: TrainTask,
        settings: TrainConfig,
        runtime: Runtime,
        *,
        checkpointer: CheckpointManager | None,
        world: DistributedContext,
    ) -> None:
        self._task, self._settings, self._runtime = task, settings, runtime
        self._checkpointer, self._world = checkpointer, world
        self._train_step = TrainStep(task, settings, runtime, world)
        self._steps_per_epoch = task.train.num_batches(settings.batch_size)
        self._result = TrainResult()
        self._epoch, self._step = 1, 0  # place of the next step
        self._accumulator = EpochAccumulator.zeros(self._steps_per_epoch, runtime.device)
        if checkpointer and (state := checkpointer.load()):
            self._load_state_dict(state)
        else:
            self._result.layers += self._collect_layer_stats(0)

    def run(self, after_epoch: Callable[[EpochMetrics], None]) -> TrainResult:
        """Train to the last epoch."""
        with progress_bar(
            self._settings.epochs * self._steps_per_epoch, self._task.name, "step", disable=self._world.rank > 0
        ) as pbar:
            pbar.update(self._global_step())
            while not self._is_finished():
                pbar.set_description(f"{self._task.name} epoch {self._epoch}/{self._settings.epochs}", refresh=False)
                self._train_epoch(pbar)
                epoch = self._end_epoch()
                after_epoch(epoch)
                if self._checkpointer:
                    self._checkpointer.after_epoch(self._state_dict, is_last=self._is_finished())
                postfix = f"loss {epoch.train_loss:.4f}, validation accuracy {epoch.val_accuracy:.4f}"
                pbar.set_postfix_str(postfix, refresh=False)
        return self._result

    def _global_step(self) -> int:
        """Return the number of steps that are done."""
        return (self._epoch - 1) * self._steps_per_epoch + self._step

    def _is_finished(self) -> bool:
        best, patience = self._result.best, self._settings.patience
        out_of_patience = best is not None and 0 < patience <= self._epoch - 1 - best.epoch
        return out_of_patience or self._epoch > self._settings.epochs

    def _train_epoch(self, pbar: Any) -> None:
        """Run the remaining steps of the epoch."""
        task, settings, epoch = self._task, self._settings, self._epoch
        if self._step == 0:
            self._train_step.reset_hidden_state()
            rank_key = [self._world.rank] if self._world.rank else []  # rank 0 draws the same as a single process
            torch.manual_seed(derive_torch_seed(task.seed, "dropout", epoch, *rank_key))
        last_update = time.monotonic()
        task.network.train()
        for batch in task.train.iter_batches(settings.batch_size, task.seed, epoch, self._step):
            loss, correct = self._train_step.run(batch, self._lr(self._step), self._global_step())
            self._accumulator.add(self._step, loss, len(batch.targets), correct)
            self._step += 1
            pbar.update(1)
            if self._checkpointer and self._step < self._steps_per_epoch:
                self._checkpointer.after_step(self._state_dict)
            if time.monotonic() - last_update > _SECONDS_BETWEEN_LOSS_UPDATES:  # reading the loss waits for the device
                self._show_loss(pbar)
                last_update = time.monotonic()

    def _show_loss(self, pbar: Any) -> None:
        loss = self._accumulator.losses[self._step - 1].item()
        accuracy = self._accumulator.correct / self._accumulator.counts.sum()
        accuracy *= self._world.size  # this rank counts its own rows among all rows
        pbar.set_postfix_str(f"loss {loss:.4f}, accuracy {accuracy.item():.4f}", refresh=False)

    def _end_epoch(self) -> EpochMetrics:
        """Record the epoch whose steps are done, and return its metrics; then the next epoch begins."""
        task, world = self._task, self._world
        losses = world.all_reduce_sum(self._accumulator.losses) / world.size
        self._check_finite(losses)
        row_count = self._accumulator.counts.sum().item()
        loss = (losses * self._accumulator.counts).sum().item()
        correct = world.all_reduce_sum(self._accumulator.correct).item()
        network = self._train_step.eval_network
        val_loss, val_accuracy = validate(network, task, self._runtime, world)
        epoch = EpochMetrics(
            epoch=self._epoch,
            lr=self._lr(self._steps_per_epoch - 1),
            train_loss=loss / row_count,
            train_accuracy=correct / row_count,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            weight_decay=self._settings.weight_decay,
        )
        if not math.isfinite(epoch.val_loss):
            raise self._non_finite_error("validation loss", self._steps_per_epoch - 1)
        self._result.add(epoch, network)
        self._result.layers += self._collect_layer_stats(self._epoch)
        self._epoch, self._step = self._epoch + 1, 0
        self._accumulator = EpochAccumulator.zeros(self._steps_per_epoch, self._runtime.device)
        return epoch

    def _collect_layer_stats(self, epoch: int) -> list[LayerStats]:
        """Return the layers' statistics on no more rows than a step has, which fit into the memory."""
        return collect_layer_stats(self._task, epoch, max(1, self._settings.batch_size // self._world.size))

    def _lr(self, step: int) -> float:
        """Return the learning rate of a step of this epoch."""
        return lr_at(
            (self._epoch - 1) * self._steps_per_epoch + step,
            self._settings.epochs * self._steps_per_epoch,
            self._settings,
        )

    def _check_finite(self, losses: Tensor) -> None:
        non_finite_steps = (~torch.isfinite(losses)).nonzero()
        if len(non_finite_steps):
            raise self._non_finite_error("loss", int(non_finite_steps[0]))

    def _non_finite_error(self, quantity: str, step: int) -> UserError:
        name, lr = self._task.name, self._lr(step)
        return UserError(
            f"the {quantity} of {name} is not finite from epoch {self._epoch}, "
            f"step {step + 1} of {self._steps_per_epoch} on, at a learning rate of {lr:.3g}; "
            f"lower models.{name}.train.lr or set models.{name}.train.clip_norm"
        )

    def _state_dict(self) -> StateDict:
        rank_state = {"random": get_rng_state(self._runtime.device), "sums": self._accumulator.to_cpu()}
        return {
            "epoch": self._epoch,
            "step": self._step,
            **self._train_step.state_dict(),
            "ranks": self._world.gather(rank_state),
            **self._result.state_dict(),
        }

    def _load_state_dict(self, state: StateDict) -> None:
        self._epoch, self._step = state["epoch"], state["step"]
        self._train_step.load_state_dict(state)
        rank_state = state["ranks"][self._world.rank]
        set_rng_state(self._runtime.device, rank_state["random"])
        self._accumulator = EpochAccumulator(
            **{name: tensor.to(self._runtime.device) for name, tensor in rank_state["sums"].items()}
        )
        self._result = TrainResult.from_state_dict(state)


def get_rng_state(device: torch.device) -> torch.Tensor:
    """Return the state of the generator that dropout draws from, on a device."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def set_rng_state(device: torch.device, state: torch.Tensor) -> None:
    """Restore a state of `get_rng_state`."""
    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
