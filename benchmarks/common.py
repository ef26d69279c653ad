"""What the benchmarks share: made-up images, a task of the engine, turns, the machine's description."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.augmentation.policy import Policy
from stages.augmentation.steps import resolve
from stages.compute.device import Machine, set_up
from stages.models.build import build, fit_to_data, settings_of
from stages.params import load
from stages.project.versions import versions
from stages.training.batches import Rows
from stages.training.inputs import ImageInputs
from stages.training.loop import Task

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
MEAN, STD = [0.5] * 3, [0.25] * 3


def machine(precision: str = "auto") -> Machine:
    """This machine as a training sets it up, described on the terminal."""
    found = set_up("auto", precision, 0, convolutions=True)
    print(f"{found.name}, {found.device.type}, {found.precision}, {found.threads} threads; {versions()}", flush=True)
    return found


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 32, 32, 3) and int64 (N,) of 10 classes."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8), random.integers(0, 10, count)


def model_of_params(name: str) -> Any:
    """A model's section of params.yaml."""
    (model,) = load(f"models.{name}", path=PARAMS)
    return model


def engine_task(model: Any, count: int, on: Machine) -> Task:
    """The task of a model of params.yaml on `count` made-up images, with its augmentation."""
    (policies,) = load("policies", path=PARAMS)
    policy = Policy.model_validate(resolve(model.augmentation, policies[model.augmentation]))
    pixels, targets = images(count)
    inputs = ImageInputs(policy.apply, MEAN, STD, seed=0, device=on.device)
    torch.manual_seed(0)
    network = build(model.architecture, settings_of(model), [32, 32, 3], 10)
    network = network.to(memory_format=torch.channels_last).to(on.device)
    train, val = Rows(pixels, targets, on.device), Rows(pixels[:1000], targets[:1000], on.device)
    fit_to_data(network, lambda most: inputs.to_val(train.take(torch.arange(min(most, count)))[0]))
    return Task("made-up", network, train, val, inputs.to_train, inputs.to_val, None, 0)


def in_turns(rounds: int, **measured: Callable[[], float]) -> dict[str, float]:
    """The median of each measurement, taken in turns; every value is printed."""
    values: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            values[name].append(measure())
            print(f"  {name}: {values[name][-1]:,.4g}", flush=True)
    return {name: statistics.median(found) for name, found in values.items()}
