"""Seconds of a training step on the GPU and on the CPU: forward, backward, update, of a model of params.yaml.

A GPU works while Python continues, so the clock is read when the device is done (`torch.cuda.synchronize`); the first
steps, in which kernels are chosen and memory is allocated, are not counted. Each device has the precision that a
training on it has. The images are random.
"""

import argparse
from collections.abc import Callable

import torch

from benchmarks.common import build_random_task, load_model_config, setup_runtime_for
from benchmarks.timing import measure_in_turns, measure_seconds
from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.ranks import SINGLE_PROCESS
from vision_pipeline.training.train_step import TrainStep

WARM_UP, STEPS = 5, 20


def make_step(name: str, batch_size: int, runtime: Runtime) -> Callable[[], None]:
    """Return a training step on the runtime's device, always of the same batch; it returns when the device is done."""
    model = load_model_config(name)
    task = build_random_task(model, batch_size, runtime)
    settings = model.train.model_copy(update={"batch_size": batch_size})
    train_step = TrainStep(task, settings, runtime, SINGLE_PROCESS)
    batch = next(task.train.iter_batches(batch_size, 0, 1))

    def step() -> None:
        train_step.run(batch, settings.lr, 0)
        if runtime.device.type == "cuda":
            torch.cuda.synchronize(runtime.device)

    task.network.train()
    return step


def measure_steps(name: str, batch_size: int, runtimes: list[Runtime]) -> dict[str, float]:
    """Return the median seconds of `STEPS` steps by kind of device, measured in turns."""
    steps = {runtime.device.type: make_step(name, batch_size, runtime) for runtime in runtimes}
    for step in steps.values():
        for _ in range(WARM_UP):
            step()
    return measure_in_turns(STEPS, **{kind: lambda step=step: measure_seconds(step) for kind, step in steps.items()})


def print_report(name: str, batch_size: int, runtimes: list[Runtime], seconds_by_device: dict[str, float]) -> None:
    """Print each device's seconds, and the ratio where there are two."""
    for runtime in runtimes:
        kind = runtime.device.type
        print(f"{name}, {batch_size} images a step, {runtime.device_name} ({kind}): {seconds_by_device[kind]:.3g} s")
    if "cuda" in seconds_by_device:
        ratio = seconds_by_device["cpu"] / seconds_by_device["cuda"]
        print(f"{runtimes[-1].device_name}: {ratio:.1f} times as fast as {runtimes[0].device_name}")
    else:
        print("no GPU here: there is nothing to compare with")


def main() -> None:
    """Measure the CPU, and the GPU where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="cifar10-cnn", help="a model of images of params.yaml")
    parser.add_argument("--batch", type=int, default=64)
    args = parser.parse_args()
    kinds = ["cpu", "cuda"] if torch.cuda.is_available() else ["cpu"]
    runtimes = [setup_runtime_for(args.model, load_model_config(args.model), kind) for kind in kinds]
    print_report(args.model, args.batch, runtimes, measure_steps(args.model, args.batch, runtimes))


if __name__ == "__main__":
    run_with_exit_code(main)
