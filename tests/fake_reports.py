"""Fake reports of models, for the tests of the leaderboard and of the HTML report."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vision_pipeline.core.files import write_json
from vision_pipeline.evaluation.metrics import make_predictions, summary_metrics
from vision_pipeline.evaluation.model_report import PLOTS, EvaluationResult, write_tables

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "lr": [0.01, 0.01, 0.001],
        "train_loss": [2.0, 1.0, 0.6],
        "train_accuracy": [0.4, 0.7, 0.8],
        "val_loss": [1.8, 0.9, 0.95],
        "val_accuracy": [0.5, 0.75, 0.74],
    }
)


def random_logits(targets: np.ndarray, num_classes: int, ease: float, seed: int = 0) -> np.ndarray:
    """Return random logits, float64 (N, num_classes), higher by `ease` for the true class."""
    logits = np.random.default_rng(seed).normal(size=(len(targets), num_classes))
    logits[np.arange(len(targets)), targets] += ease
    return logits


def write_training(folder: Path, more: dict[str, Any]) -> None:
    """Write the report of the stage train: `train.json`, with `more` values, and `history.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    HISTORY.to_csv(folder / "history.csv", index=False)
    metrics = {"seed": 0, "key": "0123456789abcdef", "epochs": 3, "best_epoch": 2, "val_accuracy": 0.75}
    sizes = {"parameters": 7850, "trainable_parameters": 7850, "synthetic": "none", "synthetic_images": 0}
    runtime = {"device": "cpu", "precision": "fp32", "threads": 1, "deterministic": True}
    write_json(folder / "train.json", metrics | sizes | runtime | more)


def write_reports(
    folder: Path,
    dataset: str = "mnist",
    status: str = "official",
    *,
    class_names: tuple[str, ...] = ("cat", "dog"),
    ease: float = 2.0,
    images: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    backbone: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
) -> EvaluationResult:
    """Write the reports of the stages train and evaluate for one model, with text in the place of plots.

    There are 60 images of 8 x 8 pixels by default.
    """
    num_classes = len(class_names)
    targets = np.arange(60) % num_classes if targets is None else targets
    images = np.full((len(targets), 8, 8, 1), 99, np.uint8) if images is None else images
    write_training(folder, train or {})
    predictions = make_predictions(random_logits(targets, num_classes, ease), targets)
    rows = pd.DataFrame(
        {"hash": [f"{i:064x}" for i in range(len(targets))], "name": [f"{i}.png" for i in range(len(targets))]}
    )
    result = EvaluationResult(predictions=predictions, class_names=class_names, inputs=images, rows=rows, kind="images")
    metadata = {
        "parameters": 7850,
        "trainable_parameters": 7850,
        "dataset": dataset,
        "provenance": status,
        "device": "cpu",
    }
    write_json(folder / "metrics.json", summary_metrics(predictions, 10) | {"seeds": 1} | metadata | (train or {}))
    write_json(folder / "data.json", _make_data_summary(status, class_names, images, backbone))
    (folder / "summary.csv").write_text("layer,name,multiply_adds\n1,hidden,7840\n2,output,1000\n")
    write_tables(folder, result, 10)
    for name in PLOTS:  # real plots take a second
        (folder / name).write_bytes(b"PNG of " + name.encode())
    return result


def _make_data_summary(
    status: str, class_names: tuple[str, ...], images: np.ndarray, backbone: dict[str, Any] | None
) -> dict[str, Any]:
    counts = {name: len(images) // len(class_names) for name in class_names}
    return {
        "provenance": {"status": status, "licence": "CC BY 4.0", "digest": "ab" * 32, "note": "", "source": "mirror"},
        "not_held_out": [],
        "unit": "images",
        "shape": list(images.shape[1:]),
        "counts": {"train": counts, "val": counts, "test": counts},
        "rejected": 2,
        "rejects": [{"file": "Cat/666.jpg", "reason": "not an image"}, {"file": "a<b>.jpg", "reason": "truncated"}],
        "backbone": backbone,
    }
