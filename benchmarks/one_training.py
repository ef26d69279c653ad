"""Train a model on its prepared images with a seed, test it once, and print accuracy and seconds as JSON.

`python -m benchmarks.one_training MODEL SEED [KEY=VALUE ...]` is the cold process of time_to_accuracy.py.
"""

import json
import sys
import time
from typing import Any

from benchmarks.common import PARAMS, build_task, load_model_config, setup_runtime_for
from vision_pipeline.config.load import load_params
from vision_pipeline.core.paths import DATA
from vision_pipeline.data.format import PreparedDataset, open_dataset
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.inference import predict_logits
from vision_pipeline.runtime.preprocessing import PixelModel, normalization_stats
from vision_pipeline.runtime.tta import TTAModel
from vision_pipeline.training.results import EpochMetrics
from vision_pipeline.training.trainer import fit


def train_and_test(model: Any, data: PreparedDataset, runtime: Runtime, seed: int) -> dict[str, Any]:
    """Train from the opened arrays to the last validation, and test the best epoch.

    Returns:
        `accuracy` on the test split, 0 to 1; `seconds` of the training; `epochs`: for each epoch the validation
        accuracy, and the seconds since the training began.
    """
    pixel_stats = normalization_stats(model.normalize, data.info.mean, data.info.std)
    epochs: list[tuple[float, float]] = []
    started = time.perf_counter()

    def record_epoch(epoch: EpochMetrics) -> None:
        epochs.append((epoch.val_accuracy, time.perf_counter() - started))

    train, val = ((data.inputs(split), data.targets(split)) for split in ("train", "val"))
    num_classes = len(data.info.class_names)
    task = build_task(model, train, val, normalization=pixel_stats, runtime=runtime, classes=num_classes, seed=seed)
    result = fit(task, model.train, runtime, record_epoch)
    seconds = time.perf_counter() - started
    task.network.load_state_dict(result.weights)
    pixels_to_logits = PixelModel(task.network, **pixel_stats).to(runtime.device)
    views = load_tta_views(model)
    network = TTAModel(pixels_to_logits, views) if views else pixels_to_logits
    logits = predict_logits(network, data.inputs("test"), runtime, description="testing")
    correct = logits.argmax(1).numpy() == data.targets("test")
    return {"accuracy": float(correct.mean()), "seconds": seconds, "epochs": epochs}


def load_tta_views(model: Any) -> str | None:
    """Return the views of an image over which params.yaml averages in the test, or None."""
    (evaluate,) = load_params("evaluate", path=PARAMS)
    views: str | None = evaluate.tta.get(model.dataset)
    return views


def main(name: str, seed: str, *changes: str) -> None:
    """Print the results in one line."""
    model = load_model_config(name, changes)
    runtime = setup_runtime_for(name, model)
    print(json.dumps(train_and_test(model, open_dataset(DATA / model.inputs), runtime, int(seed))))


if __name__ == "__main__":
    main(*sys.argv[1:])
