"""Seconds of a training step on the GPU and on the CPU: forward, backward, update, of a model of params.yaml.

A GPU works on while Python goes on, so the clock is read when the device is done (`torch.cuda.synchronize`); the first
steps, in which kernels are chosen and memory is taken, are not counted. Each device has the precision that a training
there has. Images are made up.
"""

import argparse
from collections.abc import Callable

import torch

from benchmarks.common import engine_task, machine_of, model_of
from benchmarks.timing import in_turns, seconds_of
from stages.compute.device import Machine
from stages.project.door import run_or_refuse
from stages.training.learner import Learner
from stages.training.world import ALONE

WARM_UP, STEPS = 5, 20


def step_of(name: str, batch_size: int, on: Machine) -> Callable[[], None]:
    """A training step on the machine's device, always of the same batch; it returns when the device is done."""
    model = model_of(name)
    task, settings = engine_task(model, batch_size, on), model.train.model_copy(update={"batch_size": batch_size})
    learner, batch = Learner(task, settings, on, ALONE), next(task.train.batches(batch_size, 0, 1))

    def step() -> None:
        learner.step(batch, settings.lr, 0)
        if on.device.type == "cuda":
            torch.cuda.synchronize(on.device)

    task.network.train()
    return step


def measure(name: str, batch_size: int, machines: list[Machine]) -> dict[str, float]:
    """The median seconds of `STEPS` steps by kind of device, taken in turns."""
    steps = {on.device.type: step_of(name, batch_size, on) for on in machines}
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    return in_turns(STEPS, **{kind: lambda step=step: seconds_of(step) for kind, step in steps.items()})


def report(name: str, batch_size: int, machines: list[Machine], found: dict[str, float]) -> None:
    """Print each device's figure, and the ratio where there are two."""
    for on in machines:
        print(f"{name}, {batch_size} images a step, {on.name} ({on.device.type}): {found[on.device.type]:.3g} s")
    if "cuda" in found:
        print(f"{machines[-1].name}: {found['cpu'] / found['cuda']:.1f} times as fast as {machines[0].name}")
    else:
        print("no GPU here: there is nothing to compare with")


def main() -> None:
    """Measure the CPU, and the GPU where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="cifar10-cnn", help="a model of images of params.yaml")
    parser.add_argument("--batch", type=int, default=64)
    asked = parser.parse_args()
    kinds = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    machines = [machine_of(asked.model, model_of(asked.model), kind) for kind in kinds]
    report(asked.model, asked.batch, machines, measure(asked.model, asked.batch, machines))


if __name__ == "__main__":
    run_or_refuse(main)
