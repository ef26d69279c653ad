"""The cost of MLflow, DVC and deterministic mode.

MLflow and DVC: the stage `train` of mnist-mlp, on random images, in a clone of the last commit: bare, with tracking,
and by `dvc repro`. Both cost mostly a fixed time, so the seconds mean more than their ratio to a short training.
Deterministic mode: epochs with it, as in every training here, and without it.
"""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ruamel.yaml import YAML

from benchmarks.common import (
    MEAN,
    PARAMS,
    STD,
    allow_nondeterminism,
    build_random_task,
    load_model_config,
    make_random_images,
    setup_and_print_runtime,
)
from benchmarks.timing import measure_in_turns, measure_seconds
from vision_pipeline.data.format import SPLITS, create_memmap, write_info, write_targets
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training.trainer import fit

NUM_IMAGES, ROUNDS = 10_000, 3
MODEL = "mnist-mlp"
BARE_COMMAND = ("python", "-m", "stages.train", MODEL)
DVC_COMMAND = ("dvc", "repro", "--force", "--single-item", f"train@{MODEL}")
MODELS = {"cifar10-cnn": 10_000, "cifar10-speednet": 3_000}  # images of an epoch by model


def clone_repository(folder: Path, count: int) -> None:
    """Make `folder` a clone of the last commit, with `count` random images in each split; the model has one seed."""
    subprocess.run(["git", "clone", "--quiet", str(PARAMS.parent), str(folder)], check=True)
    params = YAML().load(file := folder / "params.yaml")
    params["models"][MODEL]["seeds"] = []
    YAML().dump(params, file)
    data, (pixels, targets) = folder / "data/prepared/mnist", make_random_images(count)
    for split in SPLITS:
        create_memmap(data, split, num_rows=count, shape=list(pixels.shape[1:]), kind="images")[:] = pixels
        write_targets(data, split, targets)
    provenance = {"name": "mnist", "status": "stand-in", "source": "made-up"}
    class_names = [str(digit) for digit in range(10)]
    write_info(data, "images", class_names, mean=MEAN, std=STD, provenance=provenance)


def time_training(folder: Path, command: tuple[str, ...], tracking: str) -> float:
    """Return the seconds of a training that is not resumed, by a command in a clone; `tracking` is off or strict."""
    shutil.rmtree(folder / ".ckpt", ignore_errors=True)  # else the training would be resumed at its end
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    overrides = {"PATH": path, "TRACKING": tracking, "PYTHONPATH": "", "MLFLOW_TRACKING_URI": "", "DVC_ROOT": ""}
    options: dict[str, Any] = {"cwd": folder, "env": os.environ | overrides, "stdout": subprocess.DEVNULL}
    return measure_seconds(lambda: subprocess.run(command, check=True, **options))


def measure_mlflow_and_dvc(count: int, rounds: int) -> None:
    """Measure MLflow and DVC."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "clone"
        clone_repository(folder, count)
        time_training(folder, BARE_COMMAND, "strict")  # the first training creates MLflow's database
        seconds = measure_in_turns(
            rounds,
            bare=lambda: time_training(folder, BARE_COMMAND, "off"),
            mlflow=lambda: time_training(folder, BARE_COMMAND, "strict"),
            dvc=lambda: time_training(folder, DVC_COMMAND, "off"),
        )
    for name in ("mlflow", "dvc"):
        extra = seconds[name] - seconds["bare"]
        share = f"{extra / seconds['bare']:+.0%} of a training of {seconds['bare']:.1f} s"
        print(f"{name}: {extra:+.1f} s, {share}", flush=True)


def time_epoch(name: str, count: int, runtime: Runtime) -> float:
    """Return the seconds of an epoch of this engine."""
    model = load_model_config(name)
    task, settings = build_random_task(model, count, runtime), model.train.model_copy(update={"epochs": 1})
    return measure_seconds(lambda: fit(task, settings, runtime, lambda epoch: None))


def time_nondeterministic_epoch(name: str, count: int, runtime: Runtime) -> float:
    """Return the seconds of an epoch where torch may use nondeterministic algorithms."""
    with allow_nondeterminism():
        return time_epoch(name, count, runtime)


def main() -> None:
    """Measure MLflow, DVC and deterministic mode."""
    runtime = setup_and_print_runtime()
    measure_mlflow_and_dvc(NUM_IMAGES, ROUNDS)
    for name, count in MODELS.items():
        variants = {"without": time_nondeterministic_epoch, "deterministic": time_epoch}
        seconds = measure_in_turns(
            ROUNDS, **{label: partial(measure, name, count, runtime) for label, measure in variants.items()}
        )
        print(f"{name}: deterministic mode costs {seconds['deterministic'] / seconds['without'] - 1:+.1%} of the time")


if __name__ == "__main__":
    main()
