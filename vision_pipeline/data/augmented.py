"""Augmented copies of a data set's training images, stored in the prepared format."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from vision_pipeline.core.files import write_text
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.data.format import PreparedDataset, create_memmap, read_rows_csv, write_info, write_targets
from vision_pipeline.data.statistics import channel_mean_std


def write_augmented_dataset(
    folder: Path,
    prepared: PreparedDataset,
    batches: Iterable[np.ndarray],
    *,
    num_copies: int,
    augmentation: dict[str, Any],
) -> None:
    """Write a data set whose train split is `num_copies` augmented copies of each image; val and test are copied.

    Args:
        folder: an existing, empty folder.
        prepared: the data set that is augmented.
        batches: uint8 (n, height, width, channels), all images of train in order, `num_copies` times.
        num_copies: copies of each image, at least 1.
        augmentation: the augmentation's settings, for the provenance.
    """
    num_rows = len(prepared.targets("train")) * num_copies
    inputs = create_memmap(folder, "train", num_rows=num_rows, shape=prepared.info.shape, kind="images")
    with progress_bar(len(inputs), f"views of {prepared.folder.name}") as pbar:
        for batch in batches:
            inputs[pbar.n : pbar.n + len(batch)] = batch
            pbar.update(len(batch))
    mean, std = channel_mean_std(inputs)
    write_targets(folder, "train", np.tile(prepared.targets("train"), num_copies))
    header, lines = read_rows_csv(prepared.folder, "train")
    write_text(folder / "train" / "rows.csv", header + "".join(lines) * num_copies)
    for split in ("val", "test"):
        (folder / split).mkdir()
        for file in (prepared.folder / split).iterdir():
            shutil.copyfile(file, folder / split / file.name)
    provenance = prepared.info.provenance | {"augmentation": augmentation}
    write_info(folder, "images", prepared.info.class_names, mean=mean, std=std, provenance=provenance)
