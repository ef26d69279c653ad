"""Trainings that are killed anywhere, any number of times, and resumed."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from vision_pipeline.config.models import TrainConfig
from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.trainer import fit


class Killed(BaseException):
    """An error that no code expects."""


def killed_at(task: TrainTask, position: tuple[int, int]) -> TrainTask:
    """Return the task, whose transform raises at an epoch and step."""

    def to_train(batch: Any, rows: slice) -> torch.Tensor:
        if (batch.epoch, batch.step) == position:
            raise Killed
        return task.train_transform(batch, rows)

    return replace(task, train_transform=to_train)


def same(first: TrainResult, second: TrainResult) -> bool:
    """Return whether weights and metrics agree to the last bit."""
    equal = (torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    figures = first.history == second.history and first.layers == second.layers and first.best == second.best
    return figures and len(first.layers) > 0 and all(equal)


def kill_anywhere(
    make_task: Callable[[], TrainTask], chosen: TrainConfig, runtime: Runtime, *, steps: int, examples: int
) -> int:
    """Compare trainings that are killed up to three times with one that is not; return the number of kills.

    Args:
        make_task: returns a new task for each training.
        chosen, runtime: settings and runtime of `fit`.
        steps: number of steps in an epoch.
        examples: number of trainings.
    """
    deaths = 0
    uninterrupted = fit(make_task(), chosen, runtime, lambda epoch: None)
    positions = st.tuples(st.integers(1, chosen.epochs), st.integers(0, steps - 1))

    @settings(max_examples=examples)
    @example([(chosen.epochs, steps - 1), (1, 0)])  # late; then at a step that is already done
    @given(st.lists(positions, max_size=3))
    def killed(kills: list[tuple[int, int]]) -> None:
        nonlocal deaths
        with TemporaryDirectory() as folder:
            for position in kills:
                try:
                    fit(
                        killed_at(make_task(), position),
                        chosen,
                        runtime,
                        lambda epoch: None,
                        checkpointer=CheckpointManager(Path(folder), ShutdownFlag()),
                    )
                except Killed:
                    deaths += 1
                    torch.manual_seed(123)  # another process has other random numbers
            resumed = fit(
                make_task(),
                chosen,
                runtime,
                lambda epoch: None,
                checkpointer=CheckpointManager(Path(folder), ShutdownFlag()),
            )
        assert same(resumed, uninterrupted)

    killed()
    return deaths
