"""Memory and seconds of an epoch against the size of the data set: 1, 2 and 4 times an array too large to be copied.

Arrays of 1 GiB and more stay memory-mapped on the CPU (vision_pipeline/training/batches.py). Each size is trained on in
a process of its own. `memory` is the process's own memory; pages of mapped files belong to the system's cache, which
frees them when other memory is needed, and are printed separately. The files are sparse, so no disk is measured.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import psutil
from torch import Tensor

from benchmarks.common import NORMALIZATION, build_task, load_model_config, setup_and_print_runtime
from benchmarks.timing import measure_seconds, run_in_new_process
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.batches import Batch
from vision_pipeline.training.trainer import fit

SIZE, NUM_IMAGES, MULTIPLES, ROUNDS = 224, 7200, (1, 2, 4), 2  # 7200 images of 224 px have 1.01 GiB
CHANGES = ("train.epochs=1", "train.batch_size=32")
MIB = 2**20


def train_one_epoch(inputs: np.ndarray, runtime: Runtime) -> dict[str, Any]:
    """Train logistic regression for an epoch on uint8 (N, H, W, 3).

    Returns:
        `images` trained on, `seconds`, and the maximum MiB between two steps: `memory` of the process, and `cache`,
        pages of mapped files, among them the libraries.
    """
    model = load_model_config("mnist-logistic", CHANGES)
    targets = np.arange(len(inputs)) % 10
    train, val = (inputs, targets), (inputs[:32], targets[:32])
    task = build_task(model, train, val, normalization=NORMALIZATION, runtime=runtime)
    stats: dict[str, Any] = {"images": 0, "memory": 0.0, "cache": 0.0}

    def record_memory(batch: Batch, rows: slice) -> Tensor:
        memory_info = psutil.Process().memory_info()
        stats["images"] += len(batch.targets)
        stats["memory"] = max(stats["memory"], (memory_info.rss - memory_info.shared) / MIB)
        stats["cache"] = max(stats["cache"], memory_info.shared / MIB)
        return task.train_transform(batch, rows)

    watched_task = replace(task, train_transform=record_memory)
    seconds = measure_seconds(lambda: fit(watched_task, model.train, runtime, lambda epoch: None))
    return stats | {"seconds": seconds}


def write_sparse_array(path: Path, count: int, size: int) -> None:
    """Write a sparse file of zeros, uint8 (count, size, size, 3)."""
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, size, size, 3))


def measure_sizes(count: int, size: int, multiples: tuple[int, ...], rounds: int) -> dict[int, list[dict[str, Any]]]:
    """Train on each multiple of `count` images, in turns; return and print the results of each training."""
    runs_by_multiple: dict[int, list[dict[str, Any]]] = {multiple: [] for multiple in multiples}
    with TemporaryDirectory() as folder:
        for multiple in multiples:
            write_sparse_array(Path(folder) / f"{multiple}.npy", multiple * count, size)
        for _ in range(rounds):
            for multiple in multiples:
                run, _ = run_in_new_process("benchmarks.memory", "--of", f"{folder}/{multiple}.npy")
                runs_by_multiple[multiple].append(run)
                memory_text = f"memory {run['memory']:,.0f} MiB (and {run['cache']:,.0f} MiB of files)"
                print(f"  {multiple}x, {run['images']:,} images: {memory_text}, {run['seconds']:.1f} s", flush=True)
    return runs_by_multiple


def print_ratios(runs_by_multiple: dict[int, list[dict[str, Any]]]) -> None:
    """Print each size as a ratio to the first."""
    first, *others = runs_by_multiple
    for multiple in others:
        runs, baseline = runs_by_multiple[multiple], runs_by_multiple[first]
        memory, seconds = (
            median(run[key] for run in runs) / median(run[key] for run in baseline) for key in ("memory", "seconds")
        )
        print(f"{multiple}x the images: {memory:.2f} times the memory, {seconds:.2f} times the seconds")


def main() -> None:
    """Measure all sizes; with `--of`, one array in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--of", type=Path, help="train on this array alone and print what was found as JSON")
    args = parser.parse_args()
    runtime = setup_and_print_runtime(device="cpu", convolutions=False)
    if args.of:
        print(json.dumps(train_one_epoch(np.load(args.of, mmap_mode="r"), runtime)))
    else:
        print_ratios(measure_sizes(NUM_IMAGES, SIZE, MULTIPLES, ROUNDS))


if __name__ == "__main__":
    main()
