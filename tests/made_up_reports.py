"""Reports of models that never were, for the tests of the leaderboard and of the page."""

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


def logits_for(targets: np.ndarray, classes: int, ease: float, seed: int = 0) -> np.ndarray:
    """Random scores, float64 (N, classes), higher by `ease` for the true class."""
    logits = np.random.default_rng(seed).normal(size=(len(targets), classes))
    logits[np.arange(len(targets)), targets] += ease
    return logits


def write_training(folder: Path, more: dict[str, Any]) -> None:
    """What train writes: `train.json` and `history.csv`."""
    folder.mkdir(parents=True, exist_ok=True)
    HISTORY.to_csv(folder / "history.csv", index=False)
    figures = {"seed": 0, "key": "0123456789abcdef", "epochs": 3, "best_epoch": 2, "val_accuracy": 0.75}
    sizes = {"parameters": 7850, "trainable_parameters": 7850, "synthetic": "none", "synthetic_images": 0}
    ran_on = {"device": "cpu", "precision": "fp32", "threads": 1, "deterministic": True}
    write_json(folder / "train.json", figures | sizes | ran_on | more)


def write_reports(
    folder: Path,
    dataset: str = "mnist",
    status: str = "official",
    class_names: tuple[str, ...] = ("cat", "dog"),
    ease: float = 2.0,
    images: np.ndarray | None = None,
    targets: np.ndarray | None = None,
    backbone: dict[str, Any] | None = None,
    train: dict[str, Any] | None = None,
) -> EvaluationResult:
    """What train and evaluate write of one model, the pictures as mere words.

    There are 60 images of 8 x 8 unless `images` and `targets` are given.
    """
    classes = len(class_names)
    targets = np.arange(60) % classes if targets is None else targets
    images = np.full((len(targets), 8, 8, 1), 99, np.uint8) if images is None else images
    write_training(folder, train or {})
    scores = make_predictions(logits_for(targets, classes, ease), targets)
    rows = pd.DataFrame(
        {"hash": [f"{i:064x}" for i in range(len(targets))], "name": [f"{i}.png" for i in range(len(targets))]}
    )
    evaluated = EvaluationResult(scores, class_names, images, rows, "images")
    about = {
        "parameters": 7850,
        "trainable_parameters": 7850,
        "dataset": dataset,
        "provenance": status,
        "device": "cpu",
    }
    write_json(folder / "metrics.json", summary_metrics(scores, 10) | {"seeds": 1} | about | (train or {}))
    write_json(folder / "data.json", _facts(status, class_names, images, backbone))
    (folder / "summary.csv").write_text("layer,name,multiply_adds\n1,hidden,7840\n2,output,1000\n")
    write_tables(folder, evaluated, 10)
    for name in PLOTS:  # drawing them takes a second
        (folder / name).write_bytes(b"PNG of " + name.encode())
    return evaluated


def _facts(
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
