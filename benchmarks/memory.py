"""Memory and seconds of an epoch against the size of the data set: 1, 2 and 4 times an array too large to be copied.

Arrays of 1 GiB and more stay memory-mapped on the CPU (stages/training/batches.py). Each size is trained on in a
process of its own. `memory` is what the process holds for itself; pages of mapped files are the system's cache, which
gives them up when something else needs room, and are told apart. The files are sparse, so no disk is measured.
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

from benchmarks.common import SCALE, machine, model_of, task_on
from benchmarks.timing import fresh, seconds_of
from stages.compute.device import Machine
from stages.project.console import say
from stages.training.batches import Batch
from stages.training.loop import fit

SIZE, COUNT, TIMES, ROUNDS = 224, 7200, (1, 2, 4), 2  # 7200 images of 224 px have 1.01 GiB
CHANGES = ("train.epochs=1", "train.batch_size=32")
MIB = 2**20


def train(inputs: np.ndarray, on: Machine) -> dict[str, Any]:
    """An epoch of logistic regression on uint8 (N, H, W, 3).

    Returns:
        `images` trained on, `seconds`, and the most MiB between two steps: `memory` of the process, and `cache`,
        pages of files that it has mapped, the libraries' among them.
    """
    model = model_of("mnist-logistic", CHANGES)
    targets = np.arange(len(inputs)) % 10
    task = task_on(model, (inputs, targets), (inputs[:32], targets[:32]), SCALE, on)
    found: dict[str, Any] = {"images": 0, "memory": 0.0, "cache": 0.0}

    def watched(batch: Batch, wanted: slice) -> Tensor:
        held = psutil.Process().memory_info()
        found["images"] += len(batch.targets)
        found["memory"] = max(found["memory"], (held.rss - held.shared) / MIB)
        found["cache"] = max(found["cache"], held.shared / MIB)
        return task.to_train(batch, wanted)

    seconds = seconds_of(lambda: fit(replace(task, to_train=watched), model.train, on, lambda epoch: None))
    return found | {"seconds": seconds}


def sparse(path: Path, count: int, size: int) -> None:
    """Write an array, uint8 (count, size, size, 3), that is all holes."""
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(count, size, size, 3))


def measure(count: int, size: int, times: tuple[int, ...], rounds: int) -> dict[int, list[dict[str, Any]]]:
    """Train on each multiple of `count` images, in turns; what was found, printed too."""
    found: dict[int, list[dict[str, Any]]] = {multiple: [] for multiple in times}
    with TemporaryDirectory() as folder:
        for multiple in times:
            sparse(Path(folder) / f"{multiple}.npy", multiple * count, size)
        for _ in range(rounds):
            for multiple in times:
                one, _ = fresh("benchmarks.memory", "--of", f"{folder}/{multiple}.npy")
                found[multiple].append(one)
                held = f"memory {one['memory']:,.0f} MiB (and {one['cache']:,.0f} MiB of files)"
                say(f"  {multiple}x, {one['images']:,} images: {held}, {one['seconds']:.1f} s")
    return found


def compare(found: dict[int, list[dict[str, Any]]]) -> None:
    """Print each size as a ratio to the first."""
    first, *others = found
    for multiple in others:
        memory, seconds = (
            median(one[what] for one in found[multiple]) / median(one[what] for one in found[first])
            for what in ("memory", "seconds")
        )
        say(f"{multiple}x the images: {memory:.2f} times the memory, {seconds:.2f} times the seconds")


def main() -> None:
    """Measure all sizes, or one, in this process, for the others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--of", type=Path, help="train on this array alone and print what was found as JSON")
    asked = parser.parse_args()
    on = machine(device="cpu", convolutions=False)
    if asked.of:
        say(json.dumps(train(np.load(asked.of, mmap_mode="r"), on)))
    else:
        compare(measure(COUNT, SIZE, TIMES, ROUNDS))


if __name__ == "__main__":
    main()
