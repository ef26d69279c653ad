"""Reads the file `history.csv` of a training."""

import csv
from pathlib import Path

from vision_pipeline.training.results import EpochMetrics


def read_history(path: Path) -> list[EpochMetrics]:
    """Return the epochs that `write_history` wrote."""
    with path.open(newline="") as file:
        return [
            EpochMetrics(epoch=int(row.pop("epoch")), **{name: float(value) for name, value in row.items()})
            for row in csv.DictReader(file)
        ]
