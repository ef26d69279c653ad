"""Trainings that are killed anywhere, any number of times, and gone on with."""

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
    """What no code expects."""


def killed_at(task: TrainTask, place: tuple[int, int]) -> TrainTask:
    """The task, whose inputs cannot be had at an epoch and step."""

    def to_train(batch: Any, wanted: slice) -> torch.Tensor:
        if (batch.epoch, batch.step) == place:
            raise Killed
        return task.train_transform(batch, wanted)

    return replace(task, train_transform=to_train)


def same(first: TrainResult, second: TrainResult) -> bool:
    """Whether weights and figures agree to the last bit."""
    equal = (torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    figures = first.history == second.history and first.layers == second.layers and first.best == second.best
    return figures and len(first.layers) > 0 and all(equal)


def kill_anywhere(
    make: Callable[[], TrainTask], chosen: TrainConfig, machine: Runtime, steps: int, examples: int
) -> int:
    """Hold trainings that are killed up to three times against one that is not; how many were killed in all.

    Args:
        make: the task, anew for each training.
        chosen, machine: of `fit`.
        steps: of an epoch.
        examples: trainings.
    """
    deaths = 0
    uninterrupted = fit(make(), chosen, machine, lambda epoch: None)
    places = st.tuples(st.integers(1, chosen.epochs), st.integers(0, steps - 1))

    @settings(max_examples=examples)
    @example([(chosen.epochs, steps - 1), (1, 0)])  # late; then where it is past already
    @given(st.lists(places, max_size=3))
    def killed(kills: list[tuple[int, int]]) -> None:
        nonlocal deaths
        with TemporaryDirectory() as folder:
            for place in kills:
                try:
                    fit(
                        killed_at(make(), place),
                        chosen,
                        machine,
                        lambda epoch: None,
                        CheckpointManager(Path(folder), ShutdownFlag()),
                    )
                except Killed:
                    deaths += 1
                    torch.manual_seed(123)  # another process has other random numbers
            found = fit(make(), chosen, machine, lambda epoch: None, CheckpointManager(Path(folder), ShutdownFlag()))
        assert same(found, uninterrupted)

    killed()
    return deaths
