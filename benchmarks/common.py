"""What the benchmarks share: the machine, made-up images, a task of the engine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from ruamel.yaml import YAML

from stages.augmentation.policy import Policy
from stages.augmentation.steps import Steps, resolve
from stages.compute.device import Machine, choose_algorithms, set_up
from stages.models.build import build, fit_to_data, settings_of
from stages.models.initialization import initialize
from stages.params import load
from stages.params.models import AnyModel
from stages.params.training import Lbfgs
from stages.project.console import Refusal
from stages.project.versions import versions
from stages.training.batches import Rows
from stages.training.inputs import ImageInputs, class_weights
from stages.training.task import Task
from stages.training.training import trainings

PARAMS = Path(__file__).resolve().parents[1] / "params.yaml"
MEAN, STD = [0.5] * 3, [0.25] * 3
SCALE = {"mean": MEAN, "std": STD}

Split = tuple[np.ndarray, np.ndarray]


def machine(precision: str = "auto", device: str = "auto", convolutions: bool = True) -> Machine:
    """This machine as a training sets it up, described on the terminal."""
    found = set_up(device, precision, 0, convolutions)
    print(f"{found.name}, {found.device.type}, {found.precision}, {found.threads} threads; {versions()}", flush=True)
    return found


@contextmanager
def not_deterministic() -> Iterator[None]:
    """Inside the block torch may choose the fastest way, also one that gives other last bits each time."""
    choose_algorithms(deterministic=False)
    try:
        yield
    finally:
        choose_algorithms(deterministic=True)


def images(count: int, size: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, size, size, 3) and int64 (N,) of 10 classes."""
    random = np.random.default_rng(0)
    return random.integers(0, 256, (count, size, size, 3), dtype=np.uint8), random.integers(0, 10, count)


def model_of(name: str, changes: Sequence[str] = ()) -> Any:
    """A model of params.yaml, with `changes` such as `train.epochs=2`."""
    settings = load(f"models.{name}", path=PARAMS)[0].model_dump()
    for change in changes:
        key, _, value = change.partition("=")
        *way, last = key.split(".")
        section = settings
        for part in way:
            section = section[part]
        section[last] = YAML(typ="safe").load(value)
    return TypeAdapter(AnyModel).validate_python(settings)


def machine_of(name: str, model: Any, device: str = "auto") -> Machine:
    """This machine as the training of a model sets it up, described on the terminal.

    Raises:
        Refusal: it is trained in a way that the benchmarks do not know.
    """
    if model.architecture in ("finetune", "transfer") or isinstance(model.train, Lbfgs):
        raise Refusal(f"{name} is trained from a backbone or by L-BFGS; name a model of images with a `train.lr`")
    if model.fraction < 1 or model.synthetic != "none":
        raise Refusal(f"{name} is trained on a fraction or on synthetic images; the benchmarks take all real ones")
    return machine(device=device, convolutions=trainings(name, model, 0)[0].convolutional)


def policy_of(name: str) -> Policy:
    """A policy of params.yaml, as training applies it; `none` does nothing."""
    if name == "none":
        return Policy(name=name, dataset=None, steps=Steps())
    (settings,) = load(f"policies.{name}", path=PARAMS)
    return Policy.model_validate(resolve(name, settings))


def engine_task(model: Any, count: int, on: Machine) -> Task:
    """The task of a model on `count` made-up images, with its augmentation."""
    pixels, targets = images(count)
    return task_on(model, (pixels, targets), (pixels[:1000], targets[:1000]), SCALE, on)


def task_on(
    model: Any, train: Split, val: Split, scale: dict[str, list[float]], on: Machine, classes: int = 10, seed: int = 0
) -> Task:
    """The task of a model on images, uint8 (N, H, W, C) and int64 (N,), with its augmentation, as stages/train.py."""
    inputs = ImageInputs(policy_of(model.augmentation).apply, **scale, seed=seed, device=on.device)
    torch.manual_seed(seed)
    network = build(model.architecture, settings_of(model), list(train[0].shape[1:]), classes)
    initialize(network, getattr(model, "initialization", "default"))
    network = network.to(memory_format=torch.channels_last).to(on.device)
    rows, others = Rows(*train, on.device), Rows(*val, on.device)
    fit_to_data(network, lambda most: inputs.to_val(rows.sample(most)[0]))
    counts = np.bincount(train[1], minlength=classes).tolist()
    weights = class_weights(counts, model.train.class_weights, on.device)
    return Task(model.architecture, network, rows, others, inputs.to_train, inputs.to_val, weights, seed)
