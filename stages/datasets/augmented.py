"""Augmented copies of a data set's training images, stored in the prepared format."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from stages.datasets.format import PreparedSet, array_file, describe, read_rows, write_targets
from stages.datasets.statistics import mean_and_std
from stages.project.console import bar
from stages.project.files import write_text


def write_views(
    folder: Path, prepared: PreparedSet, copies: Iterable[np.ndarray], count: int, about: dict[str, Any]
) -> None:
    """Write a data set whose train is `count` augmented copies of each image; val and test stay as they are.

    Args:
        folder: that is there and empty.
        prepared: whose images these are.
        copies: batches, uint8 (n, height, width, channels), of all images once, then once more, `count` times.
        count: of copies of each image, at least 1.
        about: the augmentation, for the provenance.
    """
    stored = array_file(folder, "train", len(prepared.targets("train")) * count, prepared.about.shape, "images")
    with bar(len(stored), f"views of {prepared.folder.name}") as shown:
        for batch in copies:
            stored[shown.n : shown.n + len(batch)] = batch
            shown.update(len(batch))
    mean, std = mean_and_std(stored)
    write_targets(folder, "train", np.tile(prepared.targets("train"), count))
    header, rows = read_rows(prepared.folder, "train")
    write_text(folder / "train" / "rows.csv", header + "".join(rows) * count)
    for split in ("val", "test"):
        (folder / split).mkdir()
        for file in (prepared.folder / split).iterdir():
            shutil.copyfile(file, folder / split / file.name)
    provenance = prepared.about.provenance | {"augmentation": about}
    describe(folder, "images", prepared.about.class_names, mean, std, provenance)
