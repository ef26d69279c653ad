"""The files that show one model's test results: tables for `dvc plots`, pictures for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from vision_pipeline.core.files import write_json
from vision_pipeline.evaluation.metrics import Predictions, compute_per_class, compute_reliability
from vision_pipeline.evaluation.plots import (
    plot_confusion,
    plot_contexts,
    plot_learning_curves,
    plot_mistakes,
    plot_reliability,
)
from vision_pipeline.evaluation.seeds import aggregate_seeds, seeds_table
from vision_pipeline.evaluation.tables import (
    confusion_table,
    per_class_table,
    predictions_table,
    read_table,
    reliability_table,
    write_table,
)
from vision_pipeline.evaluation.tokens import misclassified, most_surprising, printable_tokens, text_rows

TABLES = ("confusion.csv", "reliability.csv", "per_class.csv", "predictions.csv")
PLOTS = ("learning_curves.png", "confusion.png", "reliability.png", "mistakes.png")


@dataclass(frozen=True)
class EvaluationResult:
    """A test split beside the scores on it.

    Attributes:
        predictions: of its N rows.
        class_names: by class index; of symbols, names that can be seen.
        inputs: images uint8 (N, height, width, 1 or 3), or symbols as they are stored, in the same order.
        rows: `hash` and `name` of each input, in the same order.
        kind: of the inputs: "images", "text" or "sequences".
    """

    predictions: Predictions
    class_names: Sequence[str]
    inputs: np.ndarray
    rows: pd.DataFrame
    kind: str


def make_result(
    predictions: Predictions, class_names: Sequence[str], inputs: np.ndarray, kind: str, rows: pd.DataFrame
) -> EvaluationResult:
    """A test split beside its scores. A text's rows are its symbols, and these get names that can be seen.

    Args:
        predictions, inputs, kind: as `EvaluationResult` has them.
        class_names: by class index.
        rows: the split's `rows.csv`.
    """
    if kind != "text":
        return EvaluationResult(predictions, class_names, inputs, rows, kind)
    return EvaluationResult(predictions, printable_tokens(class_names), inputs, text_rows(inputs, class_names), kind)


def write_metrics(
    folder: Path,
    metrics: dict[str, float | int],
    train_report: dict[str, Any],
    by_seed: Sequence[dict[str, Any]],
    metadata: dict[str, str],
) -> None:
    """Write `metrics.json`, and `seeds.csv` with a row for each seed.

    Args:
        folder: of the model's reports.
        metrics: of the model on the test set.
        train_report: its `train.json`.
        by_seed: of each further seed, its `train.json` and figures together.
        metadata: what else `metrics.json` says.
    """
    sizes = {key: train_report[key] for key in ("parameters", "trainable_parameters")}
    seeds = seeds_table([{**train_report, **metrics}, *by_seed])
    write_json(folder / "metrics.json", metrics | aggregate_seeds(seeds) | sizes | metadata)
    write_table(folder / "seeds.csv", seeds)


def write_tables(folder: Path, result: EvaluationResult, bins: int) -> None:
    """Write `TABLES`, with `bins` bins of confidence."""
    predictions, names = result.predictions, result.class_names
    write_table(folder / "confusion.csv", confusion_table(predictions, names))
    write_table(
        folder / "reliability.csv",
        reliability_table(compute_reliability(predictions.confidence, predictions.correct, bins)),
    )
    write_table(folder / "per_class.csv", per_class_table(compute_per_class(predictions.confusion), names))
    write_table(
        folder / "predictions.csv",
        predictions_table(predictions, names, result.rows, with_probabilities=result.kind != "text"),
    )


def write_plots(
    folder: Path, result: EvaluationResult, bins: int, worst: int, best_epoch: int, other_seed_dirs: Sequence[Path] = ()
) -> None:
    """Write `PICTURES`.

    Args:
        folder: to write them in, where `history.csv` is.
        result: the test split and the scores on it.
        bins: of confidence.
        worst: mistakes at most.
        best_epoch: whose weights were kept.
        other_seed_dirs: folders of the trainings with other seeds, each with its `history.csv`.
    """
    predictions, names = result.predictions, result.class_names
    histories = [read_table(seed_dir / "history.csv", ["epoch"]) for seed_dir in (folder, *other_seed_dirs)]
    plot_learning_curves(folder / "learning_curves.png", histories[0], best_epoch, histories[1:])
    plot_confusion(folder / "confusion.png", predictions.confusion, names)
    plot_reliability(folder / "reliability.png", compute_reliability(predictions.confidence, predictions.correct, bins))
    _plot_mistakes_of_kind(folder / "mistakes.png", result, worst)


def _plot_mistakes_of_kind(path: Path, result: EvaluationResult, worst: int) -> None:
    """The most confident mistakes; of a text the symbols that were expected least."""
    predictions, inputs, names = result.predictions, result.inputs, result.class_names
    wrong, total = int((~predictions.correct).sum()), len(predictions.targets)
    if result.kind == "images":
        plot_mistakes(path, predictions, inputs, names, worst)
    elif result.kind == "text":
        title = f"The most surprising symbols of the test text ({wrong:,} of {total:,} predicted wrongly)"
        plot_contexts(path, title, most_surprising(predictions, inputs, names, worst))
    else:
        title = f"The most confident mistakes ({wrong:,} of {total:,} test sequences wrong)"
        plot_contexts(path, title, misclassified(predictions, inputs, names, worst))
