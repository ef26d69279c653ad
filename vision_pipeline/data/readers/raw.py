"""The raw data set that a reader returns: labelled images in a fixed order, read one at a time."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import read_json

SourceSplit = Literal["train", "test"]


@dataclass(frozen=True, slots=True)
class RawExample:
    """One image of a raw data set.

    Attributes:
        label: index into the set's class names.
        name: name of the file inside the archive, or of the row.
        split: split of the source; sets without an official test set have "train" only.
        read: returns an encoded image file, or pixels uint8 (height, width, 1 or 3). Not safe for several
            threads at once.
    """

    label: int
    name: str
    split: SourceSplit
    read: Callable[[], bytes | np.ndarray]


@dataclass(frozen=True)
class RawDataset:
    """A raw data set; each call of `iter_examples` starts at the first image and keeps the order."""

    class_names: list[str]
    count: int
    iter_examples: Callable[[], Iterator[RawExample]]


def read_raw_provenance(folder: Path) -> dict[str, Any]:
    """Return the content of a raw folder's `provenance.json`.

    Raises:
        UserError: the file is missing or is not JSON.
        DataError: the file names no format.
    """
    provenance = read_json(folder / "provenance.json")
    if not isinstance(provenance, dict) or "format" not in provenance:
        raise corrupt_file_error(folder / "provenance.json", "no format is named")
    return provenance


def read_left_out(folder: Path) -> list[tuple[str, str]]:
    """Return the images that download left out of a raw folder, each with the reason.

    Raises:
        DataError: the list is damaged.
    """
    path = folder / "left_out.csv"
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            _, *rows = csv.reader(file)
        return [(name, reason) for name, reason in rows]
    except (ValueError, csv.Error) as error:  # ValueError: also another number of columns
        raise corrupt_file_error(path, error) from error


def find_single_file(folder: Path, pattern: str) -> Path:
    """Return the only file of a raw folder that matches `pattern`.

    Raises:
        DataError: there is none, or there are several.
    """
    files = sorted(folder.glob(pattern))
    if len(files) != 1:
        raise corrupt_file_error(folder / pattern, f"{len(files)} such files, not one")
    return files[0]


def corrupt_file_error(path: Path, reason: object) -> DataError:
    """Return the error for a damaged raw file; `path` is in `data/raw/<data set>/`."""
    return DataError(f"{path} is damaged ({reason}); fetch it again: dvc repro -f -s download@{path.parent.name}")


def check_labels(path: Path, labels: np.ndarray, class_names: list[str]) -> None:
    """Check that labels are indices into `class_names`.

    Raises:
        DataError: the message names the first label that is not.
    """
    invalid = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if len(invalid):
        row = int(invalid[0])
        raise corrupt_file_error(path, f"row {row} has label {labels[row]}, but there are {len(class_names)} classes")
