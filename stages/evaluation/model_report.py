"""The files that show one model's test results: tables for `dvc plots`, pictures for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluation.figures import draw_confusion, draw_learning_curves, draw_mistakes, draw_reliability
from stages.evaluation.metrics import Scores, per_class, reliability
from stages.evaluation.seeds import over_seeds, seeds_table
from stages.evaluation.symbol_figures import draw_places
from stages.evaluation.symbols import mistaken, surprises, text_rows, visible
from stages.evaluation.tables import (
    confusion_table,
    per_class_table,
    predictions_table,
    read_table,
    reliability_table,
    write_table,
)
from stages.project.files import write_json

TABLES = ("confusion.csv", "reliability.csv", "per_class.csv", "predictions.csv")
PICTURES = ("learning_curves.png", "confusion.png", "reliability.png", "mistakes.png")


@dataclass(frozen=True)
class Evaluated:
    """A test split beside the scores on it.

    Attributes:
        scores: of its N rows.
        class_names: by class index; of symbols, names that can be seen.
        inputs: images uint8 (N, height, width, 1 or 3), or symbols as they are stored, in the same order.
        rows: `hash` and `name` of each input, in the same order.
        kind: of the inputs: "images", "text" or "sequences".
    """

    scores: Scores
    class_names: Sequence[str]
    inputs: np.ndarray
    rows: pd.DataFrame
    kind: str


def evaluated(
    scores: Scores, class_names: Sequence[str], inputs: np.ndarray, kind: str, rows: pd.DataFrame
) -> Evaluated:
    """A test split beside its scores. A text's rows are its symbols, and these get names that can be seen.

    Args:
        scores, inputs, kind: as `Evaluated` has them.
        class_names: by class index.
        rows: the split's `rows.csv`.
    """
    if kind != "text":
        return Evaluated(scores, class_names, inputs, rows, kind)
    return Evaluated(scores, visible(class_names), inputs, text_rows(inputs, class_names), kind)


def write_figures(
    folder: Path,
    figures: dict[str, float | int],
    train: dict[str, Any],
    by_seed: Sequence[dict[str, Any]],
    about: dict[str, str],
) -> None:
    """Write `metrics.json`, and `seeds.csv` with a row for each seed.

    Args:
        folder: of the model's reports.
        figures: of the model on the test set.
        train: its `train.json`.
        by_seed: of each further seed, its `train.json` and figures together.
        about: what else `metrics.json` says.
    """
    sizes = {key: train[key] for key in ("parameters", "trainable_parameters")}
    seeds = seeds_table([{**train, **figures}, *by_seed])
    write_json(folder / "metrics.json", figures | over_seeds(seeds) | sizes | about)
    write_table(folder / "seeds.csv", seeds)


def write_tables(folder: Path, tested: Evaluated, bins: int) -> None:
    """Write `TABLES`, with `bins` bins of confidence."""
    scores, names = tested.scores, tested.class_names
    write_table(folder / "confusion.csv", confusion_table(scores, names))
    write_table(folder / "reliability.csv", reliability_table(reliability(scores.confidence, scores.correct, bins)))
    write_table(folder / "per_class.csv", per_class_table(per_class(scores.confusion), names))
    write_table(folder / "predictions.csv", predictions_table(scores, names, tested.rows, each=tested.kind != "text"))


def write_pictures(
    folder: Path, tested: Evaluated, bins: int, worst: int, best_epoch: int, others: Sequence[Path] = ()
) -> None:
    """Write `PICTURES`.

    Args:
        folder: to write them in, where `history.csv` is.
        tested: the test split and the scores on it.
        bins: of confidence.
        worst: mistakes at most.
        best_epoch: whose weights were kept.
        others: folders of the trainings with other seeds, each with its `history.csv`.
    """
    scores, names = tested.scores, tested.class_names
    histories = [read_table(each / "history.csv", ["epoch"]) for each in (folder, *others)]
    draw_learning_curves(folder / "learning_curves.png", histories[0], best_epoch, histories[1:])
    draw_confusion(folder / "confusion.png", scores.confusion, names)
    draw_reliability(folder / "reliability.png", reliability(scores.confidence, scores.correct, bins))
    _draw_mistakes(folder / "mistakes.png", tested, worst)


def _draw_mistakes(path: Path, tested: Evaluated, worst: int) -> None:
    """The most confident mistakes; of a text the symbols that were expected least."""
    scores, inputs, names = tested.scores, tested.inputs, tested.class_names
    wrong, total = int((~scores.correct).sum()), len(scores.targets)
    if tested.kind == "images":
        draw_mistakes(path, scores, inputs, names, worst)
    elif tested.kind == "text":
        title = f"The most surprising symbols of the test text ({wrong:,} of {total:,} predicted wrongly)"
        draw_places(path, title, surprises(scores, inputs, names, worst))
    else:
        title = f"The most confident mistakes ({wrong:,} of {total:,} test sequences wrong)"
        draw_places(path, title, mistaken(scores, inputs, names, worst))
