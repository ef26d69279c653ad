"""What the benchmarks share: made-up images, a task of the engine, turns, the machine's description."""

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from stages.augmentation.policy import Policy
from stages.augmentation.steps import resolve
from stages.compute.device import Machine, set_up
from stages.models.build import build, fit_to_data, settings_of
from stages.params import load
from stages.params.schema import AnyModel
from stages.params.schema import Policy as PolicySettings
from stages.project.versions import versions
from stages.training.batches import Rows
from stages.training.inputs import ImageInputs
from stages.training.task import Task

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
MODELS = Path(__file__).with_name("models.yaml")
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


def model_of(name: str) -> Any:
    """A model of models.yaml beside this file, else of params.yaml."""
    own = YAML(typ="safe").load(MODELS)["models"]
    if name in own:
        return TypeAdapter(AnyModel).validate_python(own[name])
    (model,) = load(f"models.{name}", path=PARAMS)
    return model


def policy_of(name: str) -> Policy:
    """A policy of models.yaml beside this file, else of params.yaml, as training applies it."""
    own = YAML(typ="safe").load(MODELS)["policies"]
    (policies,) = load("policies", path=PARAMS)
    settings = PolicySettings.model_validate(own[name]) if name in own else policies[name]
    return Policy.model_validate(resolve(name, settings))


def engine_task(model: Any, count: int, on: Machine) -> Task:
    """The task of a model on `count` made-up images, with its augmentation."""
    pixels, targets = images(count)
    inputs = ImageInputs(policy_of(model.augmentation).apply, MEAN, STD, seed=0, device=on.device)
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
