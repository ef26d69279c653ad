"""A share of a split's rows: stratified by class, the same for every model of a data set and seed."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import atomic_dir, read_json, sha256_file, write_json
from vision_pipeline.core.fingerprint import derive_seed
from vision_pipeline.data.format import PreparedDataset, read_array, write_array


def stratified_subset(targets: np.ndarray, fraction: float, seed: int, dataset: str) -> np.ndarray:
    """Rows of a random part of each class; a smaller fraction's rows are among a larger one's.

    Args:
        targets: int64 (N,).
        fraction: share of each class's rows, above 0 to 1; at least one is kept.
        seed: `seed` of params.yaml.
        dataset: of the data set; with the seed it is the key of the choice.

    Returns:
        int64 (n,), rising.
    """
    order = np.random.default_rng(derive_seed("subset", seed, dataset)).permutation(len(targets))
    class_rows = [order[targets[order] == label] for label in np.unique(targets)]
    kept = [rows[: max(1, round(fraction * len(rows)))] for rows in class_rows]
    return np.sort(np.concatenate(kept)).astype(np.int64)


# MERGED Images that a generator made: a folder of their own, and what a model trains on when they join real ones.
# MERGED
# MERGED A folder has `about.json` and, but for `none`, `inputs.npy`, uint8 (N, height, width, channels), and `targets.npy`,
# MERGED int64 (N,). Validation and test hold real images only.
@dataclass(frozen=True)
class TrainingData:
    """What a model trains on.

    Attributes:
        inputs, targets: as the prepared format has them; real ones first.
        synthetic: whose images stand behind the real ones, `none` where nobody's.
        synthetic_images: how many these are.
    """

    inputs: np.ndarray
    targets: np.ndarray
    synthetic: str
    synthetic_images: int

    def tags(self) -> dict[str, Any]:
        """What every record of the training says of them."""
        return {"synthetic": self.synthetic, "synthetic_images": self.synthetic_images}


def load_training_data(data: PreparedDataset, dataset: str, fraction: float, seed: int, folder: Path) -> TrainingData:
    """The share of a set's training rows that the key (seed, data set) gives, and a folder's synthetic images.

    Raises:
        DataError: the images are damaged, or are not of this data set as it is now.
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
    """Write images, their classes and what is known `metadata` them; with the marks that they are synthetic."""
    with atomic_dir(folder) as partial:
        write_array(partial / "inputs.npy", inputs)
        write_array(partial / "targets.npy", targets)
        digests = {f"{name}_sha256": sha256_file(partial / f"{name}.npy") for name in ("inputs", "targets")}
        write_json(partial / "about.json", metadata | {"synthetic": True, "images": len(inputs)} | digests)
