"""A raw data set as a reader hands it over: labelled images in a fixed order, read one at a time."""

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
        name: of the file inside the archive, or of the row.
        split: of the source; sets without an official test set have "train" only.
        read: gives an encoded image file, or pixels uint8 (height, width, 1 or 3). Not for several
            threads at once.
    """

    label: int
    name: str
    split: SourceSplit
    read: Callable[[], bytes | np.ndarray]


@dataclass(frozen=True)
class RawDataset:
    """A raw data set; `items()` starts anew each time and keeps its order."""

    class_names: list[str]
    count: int
    iter_examples: Callable[[], Iterator[RawExample]]


def read_raw_provenance(folder: Path) -> dict[str, Any]:
    """What `provenance.json` of a raw folder says.

    Raises:
        DataError: it is missing, is not JSON or lacks its format.
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
    except (ValueError, csv.Error) as error:  # ValueError: of another number of columns, too
        raise corrupt_file_error(path, error) from error


def corrupt_file_error(path: Path, reason: object) -> DataError:
    """The refusal of a raw file that is not what it should be; `path` lies in `data/raw/<data set>/`."""
    return DataError(f"{path} is damaged ({reason}); fetch it again: dvc repro -f -s download@{path.parent.name}")


def check_labels(path: Path, labels: np.ndarray, class_names: list[str]) -> None:
    """Refuse labels outside `load_class_names`."""
    invalid = np.flatnonzero((labels < 0) | (labels >= len(class_names)))
    if len(invalid):
        row = int(invalid[0])
        raise corrupt_file_error(path, f"row {row} has label {labels[row]}, but there are {len(class_names)} classes")
