"""The tables of a model's report, ready to be written as CSV and drawn by `dvc plots`."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from stages.evaluation.metrics import PerClass, Reliability, Scores
from stages.project.console import Refusal
from stages.project.files import write_text


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, floats to 6 decimals."""
    write_text(path, table.to_csv(index=False, float_format="%.6f", lineterminator="\n"))


def read_words(path: Path | IO[bytes], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV file whose cells are all text, also those that look like numbers or like missing values.

    Raises:
        Refusal: the file is missing, damaged, or lacks one of `columns`.
    """
    return read_table(path, columns, dtype=str, keep_default_na=False)


def read_table(path: Path | IO[bytes], columns: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """Read a CSV file, with pandas' `options`.

    Raises:
        Refusal: the file is missing, damaged, or lacks one of `columns`.
    """
    try:
        table = pd.read_csv(path, **options)
    except FileNotFoundError:
        raise Refusal(f"{path} is missing; `dvc repro` makes it") from None
    except ValueError as error:  # pandas' own errors are kinds of it
        raise Refusal(f"{path} is no table: {error}; `dvc repro` makes it again once it is deleted") from error
    if lacking := [column for column in columns if column not in table]:
        raise Refusal(f"{path} has no column {lacking[0]!r}; `dvc repro` makes it again once it is deleted")
    return table


def read_rows(path: Path, count: int) -> pd.DataFrame:
    """Hash and name of each of the `count` rows of a split's `rows.csv`.

    Raises:
        Refusal: as `read_words`, or there are more or fewer.
    """
    rows = read_words(path, ["hash", "name"])
    if len(rows) != count:
        raise Refusal(f"{path} has {len(rows)} rows, not {count}; `dvc repro` makes it again once it is deleted")
    return rows


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows as dictionaries of plain Python values."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def confusion_table(scores: Scores, class_names: Sequence[str]) -> pd.DataFrame:
    """`actual` and `predicted` class names, one row per image (DVC's confusion template counts), sorted by class."""
    order = np.lexsort((scores.predictions, scores.targets))
    names = np.array(class_names, dtype=object)
    return pd.DataFrame({"actual": names[scores.targets[order]], "predicted": names[scores.predictions[order]]})


def reliability_table(bins: Reliability) -> pd.DataFrame:
    """`confidence`, `accuracy` and `count` of the bins that hold images."""
    table = pd.DataFrame({"confidence": bins.confidence, "accuracy": bins.accuracy, "count": bins.count})
    return table[table["count"] > 0]


def per_class_table(classes: PerClass, class_names: Sequence[str]) -> pd.DataFrame:
    """`class`, `precision`, `recall`, `f1` and `support`, one row per class."""
    columns = {"precision": classes.precision, "recall": classes.recall, "f1": classes.f1, "support": classes.support}
    return pd.DataFrame({"class": list(class_names), **columns})


def predictions_table(scores: Scores, class_names: Sequence[str], rows: pd.DataFrame, each: bool) -> pd.DataFrame:
    """Every prediction: image, truth, prediction, confidence and, if wanted, each class's probability.

    Args:
        scores: of the test set.
        class_names: by class index.
        rows: the test split's `rows.csv`, with `hash` and `name`, in the same order.
        each: also every class's probability; of a long text they would be many.
    """
    names = np.array(class_names, dtype=object)
    given = {
        "name": rows["name"].to_numpy(),
        "hash": rows["hash"].to_numpy(),
        "actual": names[scores.targets],
        "predicted": names[scores.predictions],
        "confidence": scores.confidence,
    }
    shown = enumerate(class_names) if each else ()
    return pd.DataFrame(given | {f"p({name})": scores.probabilities[:, index] for index, name in shown})
