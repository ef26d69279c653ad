"""The tables of a model's report, in the form in which `dvc plots` reads them, and the summary of its data.

The summary, `data.json`, is part of the report so that the leaderboard needs nothing but reports.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from vision_pipeline.core.errors import ArtifactError, DataError
from vision_pipeline.core.files import write_text
from vision_pipeline.evaluation.metrics import PerClassMetrics, Predictions, Reliability
from vision_pipeline.evaluation.tokens import printable_tokens

_MAX_LISTED_REJECTS = 12  # rejected files in data.json; rejects.csv has them all


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, floats to 6 decimals."""
    write_text(path, table.to_csv(index=False, float_format="%.6f", lineterminator="\n"))


def read_csv_str(path: Path | IO[bytes], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Read a CSV file with all cells as text, also those that look like numbers or like missing values.

    Args:
        path: path of the file, or its content.
        columns: columns that the table must have.

    Raises:
        ArtifactError: the file is missing, damaged, or lacks one of `columns`.
    """
    return read_table(path, columns, dtype=str, keep_default_na=False)


def read_table(path: Path | IO[bytes], columns: Sequence[str] = (), **options: Any) -> pd.DataFrame:
    """Read a CSV file.

    Args:
        path: path of the file, or its content.
        columns: columns that the table must have.
        options: options of `pandas.read_csv`.

    Raises:
        ArtifactError: the file is missing, damaged, or lacks one of `columns`.
    """
    try:
        table = pd.read_csv(path, **options)
    except FileNotFoundError:
        raise ArtifactError(f"{path} is missing; `dvc repro` makes it") from None
    except ValueError as error:  # the base class of pandas' own errors
        raise ArtifactError(f"{path} is no table: {error}; `dvc repro` makes it again once it is deleted") from error
    if missing_columns := [column for column in columns if column not in table]:
        raise ArtifactError(
            f"{path} has no column {missing_columns[0]!r}; `dvc repro` makes it again once it is deleted"
        )
    return table


def read_split_rows(path: Path, count: int) -> pd.DataFrame:
    """Read `hash` and `name` of the `count` rows of a split's `rows.csv`.

    Raises:
        ArtifactError: the file is missing, damaged, or lacks one of the two columns.
        DataError: it has more or fewer rows.
    """
    rows = read_csv_str(path, ["hash", "name"])
    if len(rows) != count:
        raise DataError(f"{path} has {len(rows)} rows, not {count}; `dvc repro` makes it again once it is deleted")
    return rows


def table_to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a table as dictionaries of plain Python values."""
    return [{str(column): value for column, value in row.items()} for row in table.to_dict("records")]


def confusion_table(predictions: Predictions, class_names: Sequence[str]) -> pd.DataFrame:
    """Return `actual` and `predicted` class of each image, sorted by class; DVC's confusion template counts them."""
    order = np.lexsort((predictions.predicted, predictions.targets))
    names = np.array(class_names, dtype=object)
    return pd.DataFrame({"actual": names[predictions.targets[order]], "predicted": names[predictions.predicted[order]]})


def reliability_table(bins: Reliability) -> pd.DataFrame:
    """Return `confidence`, `accuracy` and `count` of the bins that hold images."""
    table = pd.DataFrame({"confidence": bins.confidence, "accuracy": bins.accuracy, "count": bins.count})
    return table[table["count"] > 0]


def per_class_table(classes: PerClassMetrics, class_names: Sequence[str]) -> pd.DataFrame:
    """Return `class`, `precision`, `recall`, `f1` and `support`, one row per class."""
    columns = {"precision": classes.precision, "recall": classes.recall, "f1": classes.f1, "support": classes.support}
    return pd.DataFrame({"class": list(class_names), **columns})


def predictions_table(
    predictions: Predictions, class_names: Sequence[str], rows: pd.DataFrame, with_probabilities: bool
) -> pd.DataFrame:
    """Return one row per prediction: image, true and predicted class, confidence.

    Args:
        predictions: predictions for the test set.
        class_names: names by class index.
        rows: `rows.csv` of the test split, with `hash` and `name`, in the same order.
        with_probabilities: add the probability of each class; for a long text the table would become large.
    """
    names = np.array(class_names, dtype=object)
    columns = {
        "name": rows["name"].to_numpy(),
        "hash": rows["hash"].to_numpy(),
        "actual": names[predictions.targets],
        "predicted": names[predictions.predicted],
        "confidence": predictions.confidence,
    }
    probability_columns = enumerate(class_names) if with_probabilities else ()
    return pd.DataFrame(
        columns | {f"p({name})": predictions.probabilities[:, index] for index, name in probability_columns}
    )


def data_summary(
    info: dict[str, Any], item_name: str, rejects: pd.DataFrame, backbone: dict[str, Any] | None
) -> dict[str, Any]:
    """Return the content of `data.json`.

    Args:
        info: `dataset.json` of the prepared data.
        item_name: name of its rows in the plural, such as "images".
        rejects: `rejects.csv` of the prepared data, with `file` and `reason`.
        backbone: `name` and provenance of the `weights` of the backbone that computed the features or was fine-tuned.
    """
    return {
        "provenance": info["provenance"],
        "not_held_out": info["provenance"].get("not_held_out", []),
        "unit": item_name,
        "shape": info["shape"],
        "counts": _with_printable_names(info["counts"]) if info["kind"] == "text" else info["counts"],
        "rejected": len(rejects),
        "rejects": rejects[["file", "reason"]].head(_MAX_LISTED_REJECTS).to_dict("records"),
        "backbone": backbone,
    }


def _with_printable_names(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """Return the counts of each split by printable names."""
    return {
        split: dict(zip(printable_tokens(by_token), by_token.values(), strict=True))
        for split, by_token in counts.items()
    }


def has_random_backbone(summary: dict[str, Any]) -> bool:
    """Return whether the model of a `data.json` has a backbone with random weights."""
    return bool(summary["backbone"]) and summary["backbone"]["weights"]["status"] == "random"
