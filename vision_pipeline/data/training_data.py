"""The images that a model trains on: a share of the real ones, and the synthetic ones of a folder.

A folder of synthetic images has `about.json` and, except for `none`, `inputs.npy`, uint8 (N, height, width, channels),
and `targets.npy`, int64 (N,). Validation and test hold real images only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import atomic_dir, read_json, sha256_file, write_json
from vision_pipeline.core.fingerprint import derive_seed
from vision_pipeline.data.format import PreparedDataset, read_array, write_array


def stratified_subset(targets: np.ndarray, fraction: float, seed: int, dataset: str) -> np.ndarray:
    """Return the rows of a random part of each class, the same for every model of a data set and seed.

    The rows of a smaller fraction are a subset of those of a larger one.

    Args:
        targets: int64 (N,).
        fraction: share of each class's rows, above 0, at most 1; at least one row of a class is kept.
        seed: `seed` of params.yaml.
        dataset: name of the data set; the choice is keyed by it and the seed.

    Returns:
        int64 (n,), ascending.
    """
    order = np.random.default_rng(derive_seed("subset", seed, dataset)).permutation(len(targets))
    class_rows = [order[targets[order] == label] for label in np.unique(targets)]
    kept = [rows[: max(1, round(fraction * len(rows)))] for rows in class_rows]
    return np.sort(np.concatenate(kept)).astype(np.int64)


@dataclass(frozen=True)
class TrainingData:
    """The rows that a model trains on.

    Attributes:
        inputs, targets: arrays of the prepared format; the real rows come first.
        synthetic: name of the generator whose images follow the real ones, or `none`.
        synthetic_images: number of synthetic images.
    """

    inputs: np.ndarray
    targets: np.ndarray
    synthetic: str
    synthetic_images: int

    def tags(self) -> dict[str, Any]:
        """Return the tags of the synthetic images that every record of the training holds."""
        return {"synthetic": self.synthetic, "synthetic_images": self.synthetic_images}


def load_training_data(
    data: PreparedDataset, dataset: str, *, fraction: float, seed: int, folder: Path
) -> TrainingData:
    """Return a share of a data set's training rows, and the synthetic images of a folder.

    Args:
        data: the prepared data set.
        dataset: name of the data set, a key of the choice of rows.
        fraction: share of the real rows, above 0, at most 1.
        seed: `seed` of params.yaml, the other key.
        folder: folder of synthetic images.

    Raises:
        DataError: the images are damaged, or were generated from another state of the data set.
    """
    inputs, targets, metadata = data.inputs("train"), data.targets("train"), read_json(folder / "about.json")
    if fraction < 1:
        rows = stratified_subset(targets, fraction, seed, dataset)
        inputs, targets = inputs[rows], targets[rows]
    if metadata["images"] == 0:
        return TrainingData(inputs, targets, metadata["name"], 0)
    generated, generated_targets = (read_array(folder / f"{name}.npy") for name in ("inputs", "targets"))
    if metadata["source"] != data.info.digest or generated.shape[1:] != inputs.shape[1:]:
        raise DataError(f"{folder} was made from other images than those of {data.folder}; `dvc repro` makes it again")
    return TrainingData(
        np.concatenate([inputs, generated]),
        np.concatenate([targets, generated_targets]),
        metadata["name"],
        len(generated),
    )


def write_synthetic(folder: Path, inputs: np.ndarray, targets: np.ndarray, metadata: dict[str, Any]) -> None:
    """Write synthetic images, their targets and `metadata`; `about.json` marks them as synthetic.

    Args:
        folder: is replaced.
        inputs: uint8 (N, height, width, channels).
        targets: int64 (N,).
        metadata: `name` of the generator and `source`, the digest of its data, and more.
    """
    with atomic_dir(folder) as partial:
        write_array(partial / "inputs.npy", inputs)
        write_array(partial / "targets.npy", targets)
        digests = {f"{name}_sha256": sha256_file(partial / f"{name}.npy") for name in ("inputs", "targets")}
        write_json(partial / "about.json", metadata | {"synthetic": True, "images": len(inputs)} | digests)
