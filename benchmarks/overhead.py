"""What MLflow, DVC and deterministic mode cost.

MLflow and DVC: the stage `train` of mnist-mlp, on made-up images, in a clone of the last commit: bare, with tracking,
and by `dvc repro`. Both cost mostly a fixed time, so the seconds say more than their ratio to a short training.
Deterministic mode: epochs with it, as every training here, and without.
"""

import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from ruamel.yaml import YAML

from benchmarks.common import MEAN, PARAMS, STD, engine_task, images, machine, model_of, not_deterministic
from benchmarks.timing import in_turns, seconds_of
from stages.compute.device import Machine
from stages.datasets.format import SPLITS, array_file, describe, write_targets
from stages.training.loop import fit

COUNT, ROUNDS = 10_000, 3
MODEL = "mnist-mlp"
BARE, DVC = ("python", "-m", "stages.train", MODEL), ("dvc", "repro", "--force", "--single-item", f"train@{MODEL}")
MODELS = {"cifar10-cnn": 10_000, "cifar10-speednet": 3_000}  # and images of an epoch


def clone(folder: Path, count: int) -> None:
    """Make `folder` a clone of the last commit, with `count` made-up images in each split; the model has one seed."""
    subprocess.run(["git", "clone", "--quiet", str(PARAMS.parent), str(folder)], check=True)
    params = YAML().load(file := folder / "params.yaml")
    params["models"][MODEL]["seeds"] = []
    YAML().dump(params, file)
    data, (pixels, targets) = folder / "data/prepared/mnist", images(count)
    for split in SPLITS:
        array_file(data, split, count, list(pixels.shape[1:]), "images")[:] = pixels
        write_targets(data, split, targets)
    provenance = {"name": "mnist", "status": "stand-in", "source": "made-up"}
    describe(data, "images", [str(digit) for digit in range(10)], MEAN, STD, provenance)


def train(folder: Path, command: tuple[str, ...], tracking: str) -> float:
    """Seconds of a training from its beginning, as a command in a clone; `tracking`: off or strict."""
    shutil.rmtree(folder / ".ckpt", ignore_errors=True)  # else it would have nothing left to do
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "TRACKING": tracking, "PYTHONPATH": "", "MLFLOW_TRACKING_URI": "", "DVC_ROOT": ""}
    run = partial(subprocess.run, command, cwd=folder, env=os.environ | own, stdout=subprocess.DEVNULL, check=True)
    return seconds_of(run)


def commands(count: int, rounds: int) -> None:
    """Measure MLflow and DVC."""
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / "clone"
        clone(folder, count)
        train(folder, BARE, "strict")  # the first makes MLflow's database
        found = in_turns(
            rounds,
            bare=lambda: train(folder, BARE, "off"),
            mlflow=lambda: train(folder, BARE, "strict"),
            dvc=lambda: train(folder, DVC, "off"),
        )
    for name in ("mlflow", "dvc"):
        more = found[name] - found["bare"]
        print(f"{name}: {more:+.1f} s, {more / found['bare']:+.0%} of a training of {found['bare']:.1f} s", flush=True)


def epoch(name: str, count: int, on: Machine) -> float:
    """Seconds of an epoch of this engine."""
    model = model_of(name)
    task, settings = engine_task(model, count, on), model.train.model_copy(update={"epochs": 1})
    return seconds_of(lambda: fit(task, settings, on, lambda epoch: None))


def epoch_not_deterministic(name: str, count: int, on: Machine) -> float:
    """The same where torch may choose the fastest way."""
    with not_deterministic():
        return epoch(name, count, on)


def main() -> None:
    """Measure all three."""
    on = machine()
    commands(COUNT, ROUNDS)
    for name, count in MODELS.items():
        ways = {"without": epoch_not_deterministic, "deterministic": epoch}
        found = in_turns(ROUNDS, **{way: partial(measure, name, count, on) for way, measure in ways.items()})
        print(f"{name}: deterministic mode costs {found['deterministic'] / found['without'] - 1:+.1%} of the time")


if __name__ == "__main__":
    main()
