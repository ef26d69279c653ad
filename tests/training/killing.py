"""Trainings that are killed anywhere, any number of times, and gone on with."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from stages.compute.device import Machine
from stages.params.training import Train
from stages.project.stopping import StopFlag
from stages.training.loop import fit
from stages.training.outcome import Outcome
from stages.training.resume import Keeper
from stages.training.task import Task


class Killed(BaseException):
    """What no code expects."""


def killed_at(task: Task, place: tuple[int, int]) -> Task:
    """The task, whose inputs cannot be had at an epoch and step."""

    def to_train(batch: Any, wanted: slice) -> torch.Tensor:
        if (batch.epoch, batch.step) == place:
            raise Killed
        return task.to_train(batch, wanted)

    return replace(task, to_train=to_train)


def same(first: Outcome, second: Outcome) -> bool:
    """Whether weights and figures agree to the last bit."""
    equal = (torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    figures = first.history == second.history and first.layers == second.layers and first.best == second.best
    return figures and len(first.layers) > 0 and all(equal)


def kill_anywhere(make: Callable[[], Task], chosen: Train, machine: Machine, steps: int, examples: int) -> int:
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
                    fit(killed_at(make(), place), chosen, machine, lambda epoch: None, Keeper(Path(folder), StopFlag()))
                except Killed:
                    deaths += 1
                    torch.manual_seed(123)  # another process has other random numbers
            found = fit(make(), chosen, machine, lambda epoch: None, Keeper(Path(folder), StopFlag()))
        assert same(found, uninterrupted)

    killed()
    return deaths
