"""The cost of saving the state of a training: the same epochs with and without it."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.common import build_random_task, load_model_config, setup_and_print_runtime
from benchmarks.timing import measure_in_turns
from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.trainer import fit

MODELS, NUM_IMAGES, EPOCHS, ROUNDS = ("cifar10-cnn", "cifar10-speednet"), 10_000, 4, 3


def main() -> None:
    """Measure each model's training in turns, states in a temporary folder."""
    runtime = setup_and_print_runtime()
    for name in MODELS:
        model = load_model_config(name)

        def time_training(save_state: bool, model: Any = model) -> float:
            task = build_random_task(model, NUM_IMAGES, runtime)
            with TemporaryDirectory() as folder:
                checkpointer = CheckpointManager(Path(folder), ShutdownFlag()) if save_state else None
                started = time.perf_counter()
                fit(
                    task,
                    model.train.model_copy(update={"epochs": EPOCHS}),
                    runtime,
                    lambda epoch: None,
                    checkpointer=checkpointer,
                )
                return time.perf_counter() - started

        seconds = measure_in_turns(ROUNDS, without=lambda: time_training(False), kept=lambda: time_training(True))
        print(f"{name}: saving its state costs {seconds['kept'] / seconds['without'] - 1:+.1%} of the time")


if __name__ == "__main__":
    main()
