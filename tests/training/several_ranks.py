"""Trainings of several processes, for test_distributed.py: `torchrun --nproc-per-node N several_ranks.py FOLDER`.

Each process writes its observations to FOLDER/<rank>.pt.
"""

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.config.models import TrainConfig
from vision_pipeline.core.signals import Interrupted, ShutdownFlag
from vision_pipeline.models.build import build_model
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training import checkpointing, ranks
from vision_pipeline.training.batches import ArrayDataset, Batch
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.distributed import init_distributed
from vision_pipeline.training.ranks import DistributedContext
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import ImageTransform, TrainTask, compute_class_weights
from vision_pipeline.training.trainer import fit

CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")
STEPS = {
    "hflip": 0.5,
    "rotate": {"probability": 0.5, "degrees": [-10.0, 10.0]},
    "noise": {"probability": 0.5, "std": [0.0, 0.1]},
    "fill": "zeros",
}
# 39 rows: batches of 12, 12, 12 and 3, which is too few for two processes with two rows each
SETTINGS = TrainConfig(
    epochs=3, batch_size=12, optimizer="sgd", lr=0.2, head_lr=1.0, bias_lr=1.0, momentum=0.9, weight_decay=0.01,
    schedule="cosine", warmup=0.1, label_smoothing=0.1, mixup=0.0, cutmix=0.0, class_weights="balanced",
    clip_norm=1.0, ema=0.9, compile=False, patience=0,
)  # fmt: skip
PLAIN = {"hidden": [16], "activation": "relu", "dropout": 0.0, "batch_norm": False}
NOISY = {"channels": [4, 6], "kernel": 3, "padding": 1, "hidden": [8], "activation": "relu", "dropout": 0.3,
         "batch_norm": True}  # fmt: skip


class Killed(BaseException):
    """An error that no code expects."""


def a_task(architecture: str = "mlp", settings: dict[str, Any] = PLAIN) -> TrainTask:
    """Return a task on images of three classes, most of them of the first."""
    random = np.random.default_rng(0)
    targets = random.choice(3, 60, p=[0.7, 0.2, 0.1])
    pixels = (random.integers(0, 156, (60, 8, 8, 1)) + 40 * targets[:, None, None, None]).astype(np.uint8)
    torch.manual_seed(0)
    network = build_model(architecture, settings, [8, 8, 1], 3).to(memory_format=torch.channels_last)
    policy = AugmentationPolicy.model_validate({"name": "p", "dataset": "d", "steps": STEPS})
    transform = ImageTransform(policy.apply, [0.5], [0.2], seed=0, device=CPU.device)
    train, val = (ArrayDataset(pixels[rows], targets[rows], CPU.device) for rows in (slice(0, 39), slice(39, 60)))
    counts = np.bincount(targets[:39], minlength=3).tolist()
    weights = compute_class_weights(counts, "balanced", CPU.device)
    return TrainTask(
        name="images",
        network=network,
        train=train,
        val=val,
        train_transform=transform.apply_train,
        eval_transform=transform.apply_eval,
        class_weights=weights,
        seed=0,
    )


def watched(task: TrainTask, look: Callable[..., None]) -> TrainTask:
    """Return the task, which calls `look` with the training inputs, their epoch, step and rows."""

    def to_train(batch: Batch, rows: slice) -> torch.Tensor:
        inputs = task.train_transform(batch, rows)
        look(inputs, batch.epoch, batch.step, rows)
        return inputs

    return replace(task, train_transform=to_train)


def curve(world: DistributedContext) -> dict[str, Any]:
    """Train a network without batch norm and dropout; return its result, and each batch's rows and pixels."""
    seen = []
    task = watched(a_task(), lambda x, epoch, step, rows: seen.append((epoch, step, rows.start, rows.stop, x.clone())))
    outcome = fit(task, SETTINGS, CPU, lambda epoch: None, checkpointer=None, world=world)
    return {**summarize(outcome), "last": task.network.state_dict(), "seen": seen}


def mixed_curve(world: DistributedContext) -> dict[str, Any]:
    """Train with images blended in pairs, also of two processes, and pasted into each other."""
    settings = SETTINGS.model_copy(update={"mixup": 0.4, "cutmix": 1.0})
    return summarize(fit(a_task(), settings, CPU, lambda epoch: None, checkpointer=None, world=world))


def summarize(outcome: TrainResult) -> dict[str, Any]:
    return {"history": [vars(epoch) for epoch in outcome.history], "weights": outcome.weights}


def one_step(world: DistributedContext, rows: int) -> dict[str, torch.Tensor]:
    """Return the weights after one step by a batch of `rows` rows, which show the gradient itself."""
    plain = {"schedule": "constant", "warmup": 0.0, "momentum": 0.0, "weight_decay": 0.0, "clip_norm": 0.0}
    settings = SETTINGS.model_copy(update={"epochs": 1, "batch_size": rows, "lr": 1.0, **plain})
    task = a_task()
    few = ArrayDataset(task.train._mapped[:rows], task.train._targets[:rows].numpy(), CPU.device)
    fit(replace(task, train=few), settings, CPU, lambda epoch: None, checkpointer=None, world=world)
    return task.network.state_dict()


def resumed(world: DistributedContext, folder: Path) -> dict[str, Any]:
    """Run a training with dropout and batch norm without interruption, and the same one killed twice."""
    # a state after every step
    checkpointing._SECONDS_BETWEEN_SAVES = ranks._SECONDS_BETWEEN_POLLS = 0.0
    checkpointing._MAX_SAVE_SHARE = float("inf")
    settings, seeds = SETTINGS.model_copy(update={"optimizer": "muon"}), []

    def trained(
        checkpointer: CheckpointManager | None, killed_at: tuple[int, int] | None = None
    ) -> dict[str, Any] | None:
        def look(inputs: torch.Tensor, epoch: int, step: int, rows: slice) -> None:
            if (epoch, step) == killed_at:
                raise Killed
            seeds.append(torch.initial_seed())  # of dropout

        try:
            task = watched(a_task("cnn", NOISY), look)
            return summarize(fit(task, settings, CPU, lambda epoch: None, checkpointer=checkpointer, world=world))
        except Killed:
            torch.manual_seed(123)  # another process has other random numbers
            return None

    alone = trained(None)
    for place in ((1, 2), (3, 1)):
        trained(CheckpointManager(folder / "killed", ShutdownFlag(), world), place)
    return {
        "alone": alone,
        "again": trained(CheckpointManager(folder / "killed", ShutdownFlag(), world)),
        "seeds": seeds,
    }


def stopped(world: DistributedContext, folder: Path) -> dict[str, Any]:
    """Send a signal to the last process alone, in the second step."""
    flag = ShutdownFlag()

    def look(inputs: torch.Tensor, epoch: int, step: int, rows: slice) -> None:
        if (epoch, step) == (1, 1) and world.rank == world.size - 1:
            flag.signal = signal.SIGTERM

    try:
        fit(
            watched(a_task(), look),
            SETTINGS,
            CPU,
            lambda epoch: None,
            checkpointer=CheckpointManager(folder / "stopped", flag, world),
            world=world,
        )
    except Interrupted as error:
        state = CheckpointManager(folder / "stopped", ShutdownFlag(), world).load()
        assert state is not None
        return {"said": str(error), "place": (state["epoch"], state["step"])}
    return {}


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    with init_distributed() as world:
        hopeless = SETTINGS.model_copy(update={"lr": 1e-30, "optimizer": "adam", "epochs": 50, "patience": 2})
        observed = {
            "curve": curve(world),
            "mixed curve": mixed_curve(world),
            "one step": {rows: one_step(world, rows) for rows in (3, 5, 12)},
            "patience": len(fit(a_task(), hopeless, CPU, lambda epoch: None, checkpointer=None, world=world).history),
            "resumed": resumed(world, folder),
            "stopped": stopped(world, folder),
        }
        torch.save(observed, folder / f"{world.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
