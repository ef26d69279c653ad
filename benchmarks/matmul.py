"""The share of the processor's matrix-multiplication rate that a whole training step of SpeedNet reaches."""

import time

import torch
from torch import nn

from benchmarks.common import engine_task, machine, model_of
from benchmarks.timing import in_turns
from stages.compute.device import Machine
from stages.training.batches import Rows
from stages.training.loop import fit
from stages.training.task import Task

WIDTHS, COUNT, BATCH, SIZE, ROUNDS = [64, 256, 256], 5_000, 500, 2048, 3


def matmul_rate(dtype: torch.dtype, on: Machine) -> float:
    """Floating-point operations per second of a square product."""
    left, right = (torch.randn(SIZE, SIZE, device=on.device, dtype=dtype) for _ in range(2))
    left @ right
    repeats, started = 20, time.perf_counter()
    for _ in range(repeats):
        left @ right
    if on.device.type == "cuda":
        torch.cuda.synchronize()
    return 2 * SIZE**3 * repeats / (time.perf_counter() - started)


def operations(task: Task) -> int:
    """Of a forward and a backward pass of one image: twice the multiply-adds, three times (forward, two gradients).

    The first layer's input needs no gradient, nor do its frozen weights: it counts once.
    """
    counted = 0

    def count(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal counted
        weight = module.get_parameter("weight")
        places = output[0].numel() // len(weight)
        counted += 2 * weight.numel() * places * (3 if weight.requires_grad else 1)

    layers = [module for module in task.network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    assert isinstance(task.train, Rows)
    task.network(task.to_val(task.train.take(torch.arange(2))[0]))
    for hook in hooks:
        hook.remove()
    return counted


def main() -> None:
    """Measure both in turns."""
    on = machine("bf16")
    model = model_of("cifar10-speednet").model_copy(update={"widths": WIDTHS})
    settings = model.train.model_copy(update={"epochs": 1, "batch_size": BATCH})
    per_image = operations(engine_task(model, COUNT, on))

    def step_rate() -> float:
        task = engine_task(model, COUNT, on)
        started = time.perf_counter()
        fit(task, settings, on, lambda epoch: None)
        return per_image * COUNT / (time.perf_counter() - started)

    rates = {"bf16": lambda: matmul_rate(torch.bfloat16, on), "fp32": lambda: matmul_rate(torch.float32, on)}
    found = in_turns(ROUNDS, **rates, training=step_rate)
    print(f"SpeedNet {WIDTHS}: {per_image / 1e9:.3f} GFLOP an image, {found['training'] / per_image:,.0f} images/s")
    for name in rates:
        print(f"  {found['training'] / found[name]:.1%} of the {name} matmul rate of {found[name] / 1e9:,.0f} GFLOP/s")


if __name__ == "__main__":
    main()
