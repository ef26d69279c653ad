"""What saving the state of a training costs: the same epochs with and without it."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import engine_task, machine, model_of
from benchmarks.timing import in_turns
from stages.project.stopping import StopFlag
from stages.training.loop import fit
from stages.training.resume import Keeper

MODELS, COUNT, EPOCHS, ROUNDS = ("cifar10-cnn", "cifar10-speednet"), 10_000, 4, 3


def main() -> None:
    """Measure each model's training in turns, states in a temporary folder."""
    on = machine()
    for name in MODELS:
        model = model_of(name)

        def seconds(kept: bool, model: Any = model) -> float:
            task = engine_task(model, COUNT, on)
            with TemporaryDirectory() as folder:
                keeper = Keeper(Path(folder), StopFlag()) if kept else None
                started = time.perf_counter()
                fit(task, model.train.model_copy(update={"epochs": EPOCHS}), on, lambda epoch: None, keeper)
                return time.perf_counter() - started

        found = in_turns(ROUNDS, without=lambda: seconds(False), kept=lambda: seconds(True))
        print(f"{name}: saving its state costs {found['kept'] / found['without'] - 1:+.1%} of the time")


if __name__ == "__main__":
    main()
