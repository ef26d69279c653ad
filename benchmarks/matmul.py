"""The share of the processor's matrix-multiplication rate that a whole training step of SpeedNet reaches."""

import time

import torch
from torch import nn

from benchmarks.common import build_random_task, load_model_config, setup_and_print_runtime
from benchmarks.timing import measure_in_turns
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.trainer import fit

WIDTHS, NUM_IMAGES, BATCH_SIZE, SIZE, ROUNDS = [64, 256, 256], 5_000, 500, 2048, 3


def measure_matmul(dtype: torch.dtype, runtime: Runtime) -> float:
    """Return the floating-point operations per second of a square matrix product."""
    left, right = (torch.randn(SIZE, SIZE, device=runtime.device, dtype=dtype) for _ in range(2))
    left @ right
    repeats, started = 20, time.perf_counter()
    for _ in range(repeats):
        left @ right
    if runtime.device.type == "cuda":
        torch.cuda.synchronize()
    return 2 * SIZE**3 * repeats / (time.perf_counter() - started)


def count_operations(task: TrainTask) -> int:
    """Count the operations of a forward and a backward pass of one image.

    They are twice the multiply-adds, three times: forward, and the gradients of weights and inputs. A layer with frozen
    weights, here the first one, counts once.
    """
    total = 0

    def count_layer(module: nn.Module, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        nonlocal total
        weight = module.get_parameter("weight")
        positions = output[0].numel() // len(weight)
        total += 2 * weight.numel() * positions * (3 if weight.requires_grad else 1)

    layers = [module for module in task.network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count_layer) for layer in layers]
    assert isinstance(task.train, ArrayDataset)
    task.network(task.eval_transform(task.train.gather(torch.arange(2))[0]))
    for hook in hooks:
        hook.remove()
    return total


def main() -> None:
    """Measure both in turns."""
    runtime = setup_and_print_runtime("bf16")
    model = load_model_config("cifar10-speednet").model_copy(update={"widths": WIDTHS})
    settings = model.train.model_copy(update={"epochs": 1, "batch_size": BATCH_SIZE})
    per_image = count_operations(build_random_task(model, NUM_IMAGES, runtime))

    def measure_training() -> float:
        task = build_random_task(model, NUM_IMAGES, runtime)
        started = time.perf_counter()
        fit(task, settings, runtime, lambda epoch: None)
        return per_image * NUM_IMAGES / (time.perf_counter() - started)

    matmul_variants = {
        "bf16": lambda: measure_matmul(torch.bfloat16, runtime),
        "fp32": lambda: measure_matmul(torch.float32, runtime),
    }
    throughputs = measure_in_turns(ROUNDS, **matmul_variants, training=measure_training)
    training, per_second = throughputs["training"], throughputs["training"] / per_image
    print(f"SpeedNet {WIDTHS}: {per_image / 1e9:.3f} GFLOP an image, {per_second:,.0f} images/s")
    for name in matmul_variants:
        matmul = throughputs[name]
        print(f"  {training / matmul:.1%} of the {name} matmul rate of {matmul / 1e9:,.0f} GFLOP/s")


if __name__ == "__main__":
    main()
