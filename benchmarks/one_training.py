"""Train a model on its prepared images with a seed, test it once; prints accuracy and seconds as JSON.

`python -m benchmarks.one_training MODEL SEED [KEY=VALUE ...]`, the cold process of time_to_accuracy.py.
"""

import json
import sys
import time
from typing import Any

from benchmarks.common import PARAMS, machine_of, model_of, task_on
from stages.compute.device import Machine
from stages.compute.inference import outputs
from stages.compute.pixels import FromPixels, normalization
from stages.compute.views import Averaged
from stages.datasets.format import PreparedSet, open_set
from stages.params import load
from stages.project.paths import DATA
from stages.training.history import Epoch
from stages.training.loop import fit


def train_and_test(model: Any, data: PreparedSet, on: Machine, seed: int) -> dict[str, Any]:
    """A training, from the opened arrays to its last validation, and the test of its best epoch.

    Returns:
        `accuracy` on the test split, 0 to 1; `seconds` of the training; `epochs`: validation accuracy and seconds
        since the training's beginning, by epoch.
    """
    scale = normalization(model.normalize, data.about.mean, data.about.std)
    epochs: list[tuple[float, float]] = []
    started = time.perf_counter()

    def note(epoch: Epoch) -> None:
        epochs.append((epoch.val_accuracy, time.perf_counter() - started))

    train, val = ((data.inputs(split), data.targets(split)) for split in ("train", "val"))
    task = task_on(model, train, val, scale, on, len(data.about.class_names), seed)
    outcome = fit(task, model.train, on, note)
    seconds = time.perf_counter() - started
    task.network.load_state_dict(outcome.weights)
    pixels_to_logits = FromPixels(task.network, **scale).to(on.device)
    views = views_of(model)
    network = Averaged(pixels_to_logits, views) if views else pixels_to_logits
    right = outputs(network, data.inputs("test"), on, what="testing").argmax(1).numpy() == data.targets("test")
    return {"accuracy": float(right.mean()), "seconds": seconds, "epochs": epochs}


def views_of(model: Any) -> str | None:
    """The views of an image that its test averages over, as params.yaml says."""
    (evaluate,) = load("evaluate", path=PARAMS)
    views: str | None = evaluate.tta.get(model.dataset)
    return views


def main(name: str, seed: str, *changes: str) -> None:
    """Print the outcome in one line."""
    model = model_of(name, changes)
    on = machine_of(name, model)
    print(json.dumps(train_and_test(model, open_set(DATA / model.inputs), on, int(seed))))


if __name__ == "__main__":
    main(*sys.argv[1:])
