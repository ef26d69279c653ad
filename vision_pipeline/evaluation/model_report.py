"""The files of a model's report: its metrics, tables for `dvc plots`, and plots."""

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


@dataclass(frozen=True, kw_only=True)
class EvaluationResult:
    """A test split with a model's predictions for it.

    Attributes:
        predictions: predictions for its N rows.
        class_names: names by class index; printable names of tokens.
        inputs: images uint8 (N, height, width, 1 or 3), or tokens as they are stored, in the same order.
        rows: `hash` and `name` of each input, in the same order.
        kind: kind of the inputs: "images", "text" or "sequences".
    """

    predictions: Predictions
    class_names: Sequence[str]
    inputs: np.ndarray
    rows: pd.DataFrame
    kind: str


def make_result(
    predictions: Predictions, *, class_names: Sequence[str], inputs: np.ndarray, kind: str, rows: pd.DataFrame
) -> EvaluationResult:
    """Join a test split with a model's predictions. The rows of a text are its tokens, with printable names.

    Args:
        predictions, inputs, kind: attributes of `EvaluationResult`.
        class_names: names by class index, as they are stored.
        rows: `rows.csv` of the split.
    """
    if kind == "text":
        class_names, rows = printable_tokens(class_names), text_rows(inputs, class_names)
    return EvaluationResult(predictions=predictions, class_names=class_names, inputs=inputs, rows=rows, kind=kind)


def write_metrics(
    folder: Path,
    metrics: dict[str, float | int],
    *,
    train_report: dict[str, Any],
    by_seed: Sequence[dict[str, Any]],
    metadata: dict[str, str],
) -> None:
    """Write `metrics.json`, and `seeds.csv` with a row for each seed.

    Args:
        folder: folder of the model's report.
        metrics: metrics of the model on the test set.
        train_report: `train.json` of the model.
        by_seed: `train.json` and test metrics of each further seed, in one dictionary.
        metadata: further entries of `metrics.json`.
    """
    sizes = {key: train_report[key] for key in ("parameters", "trainable_parameters")}
    seeds = seeds_table([{**train_report, **metrics}, *by_seed])
    write_json(folder / "metrics.json", metrics | aggregate_seeds(seeds) | sizes | metadata)
    write_table(folder / "seeds.csv", seeds)


def write_tables(folder: Path, result: EvaluationResult, bins: int) -> None:
    """Write the tables of `TABLES`.

    Args:
        folder: folder of the model's report.
        result: the test split with the model's predictions.
        bins: number of bins of confidence.
    """
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
    folder: Path,
    result: EvaluationResult,
    *,
    bins: int,
    max_mistakes: int,
    best_epoch: int,
    other_seed_dirs: Sequence[Path] = (),
) -> None:
    """Write the plots of `PLOTS`.

    Args:
        folder: folder of the model's report, with `history.csv`.
        result: the test split with the model's predictions.
        bins: number of bins of confidence.
        max_mistakes: maximum number of mistakes in the plot of mistakes.
        best_epoch: epoch whose weights were kept.
        other_seed_dirs: folders of the trainings with other seeds, each with its `history.csv`.

    Raises:
        ArtifactError: a `history.csv` is missing or damaged.
    """
    predictions, names = result.predictions, result.class_names
    histories = [read_table(seed_dir / "history.csv", ["epoch"]) for seed_dir in (folder, *other_seed_dirs)]
    plot_learning_curves(folder / "learning_curves.png", histories[0], best_epoch, histories[1:])
    plot_confusion(folder / "confusion.png", predictions.confusion, names)
    plot_reliability(folder / "reliability.png", compute_reliability(predictions.confidence, predictions.correct, bins))
    _plot_mistakes_of_kind(folder / "mistakes.png", result, max_mistakes)


def _plot_mistakes_of_kind(path: Path, result: EvaluationResult, max_mistakes: int) -> None:
    """Plot the most confident mistakes; of a text the tokens with the lowest probability."""
    predictions, inputs, names = result.predictions, result.inputs, result.class_names
    wrong, total = int((~predictions.correct).sum()), len(predictions.targets)
    if result.kind == "images":
        plot_mistakes(path, predictions, images=inputs, class_names=names, max_mistakes=max_mistakes)
    elif result.kind == "text":
        title = f"The most surprising symbols of the test text ({wrong:,} of {total:,} predicted wrongly)"
        plot_contexts(path, title, most_surprising(predictions, inputs, names, max_mistakes))
    else:
        title = f"The most confident mistakes ({wrong:,} of {total:,} test sequences wrong)"
        plot_contexts(path, title, misclassified(predictions, inputs, names, max_mistakes))
