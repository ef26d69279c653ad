"""The files that show one model's test results: tables for `dvc plots`, pictures for people."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from stages.evaluation.figures import draw_confusion, draw_learning_curves, draw_mistakes, draw_reliability
from stages.evaluation.metrics import Scores, per_class, reliability
from stages.evaluation.tables import confusion_table, per_class_table, predictions_table, reliability_table, write_table

TABLES = ("confusion.csv", "reliability.csv", "per_class.csv", "predictions.csv")
PICTURES = ("learning_curves.png", "confusion.png", "reliability.png", "mistakes.png")


@dataclass(frozen=True)
class Evaluated:
    """A test split beside the scores on it.

    Attributes:
        scores: of its N rows.
        class_names: by class index.
        images: uint8 (N, height, width, 1 or 3), in the same order.
        rows: `hash` and `name` of each image, in the same order.
    """

    scores: Scores
    class_names: Sequence[str]
    images: np.ndarray
    rows: pd.DataFrame


def write_tables(folder: Path, tested: Evaluated, bins: int) -> None:
    """Write `TABLES`, with `bins` bins of confidence."""
    scores, names = tested.scores, tested.class_names
    write_table(folder / "confusion.csv", confusion_table(scores, names))
    write_table(folder / "reliability.csv", reliability_table(reliability(scores.confidence, scores.correct, bins)))
    write_table(folder / "per_class.csv", per_class_table(per_class(scores.confusion), names))
    write_table(folder / "predictions.csv", predictions_table(scores, names, tested.rows))


def write_pictures(folder: Path, tested: Evaluated, bins: int, worst: int, best_epoch: int) -> None:
    """Write `PICTURES`, with `bins` bins of confidence and at most `worst` mistakes; `history.csv` is in `folder`."""
    scores, names = tested.scores, tested.class_names
    draw_learning_curves(folder / "learning_curves.png", pd.read_csv(folder / "history.csv"), best_epoch)
    draw_confusion(folder / "confusion.png", scores.confusion, names)
    draw_reliability(folder / "reliability.png", reliability(scores.confidence, scores.correct, bins))
    draw_mistakes(folder / "mistakes.png", scores, tested.images, names, worst)
