"""Images that a generator made: a folder of their own, and what a model trains on when they join real ones.

A folder has `about.json` and, but for `none`, `inputs.npy`, uint8 (N, height, width, channels), and `targets.npy`,
int64 (N,). Validation and test hold real images only.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stages.datasets.format import PreparedSet, read_array, write_array
from stages.datasets.subset import subset
from stages.project.console import Refusal
from stages.project.files import read_json, replacing_folder, sha256, write_json


@dataclass(frozen=True)
class Material:
    """What a model trains on.

    Attributes:
        inputs, targets: as the prepared format has them; real ones first.
        synthetic: whose images stand behind the real ones, `none` where nobody's.
        images: how many these are.
    """

    inputs: np.ndarray
    targets: np.ndarray
    synthetic: str
    images: int

    def marks(self) -> dict[str, Any]:
        """What every record of the training says of them."""
        return {"synthetic": self.synthetic, "synthetic_images": self.images}


def material(data: PreparedSet, dataset: str, fraction: float, seed: int, folder: Path) -> Material:
    """The share of a set's training rows that the key (seed, data set) gives, and a folder's synthetic images.

    Raises:
        Refusal: the images are damaged, or are not of this data set as it is now.
    """
    inputs, targets, about = data.inputs("train"), data.targets("train"), read_json(folder / "about.json")
    if fraction < 1:
        rows = subset(targets, fraction, seed, dataset)
        inputs, targets = inputs[rows], targets[rows]
    if about["images"] == 0:
        return Material(inputs, targets, about["name"], 0)
    made, classes = (read_array(folder / f"{name}.npy") for name in ("inputs", "targets"))
    if about["source"] != data.about.digest or made.shape[1:] != inputs.shape[1:]:
        raise Refusal(f"{folder} was made from other images than those of {data.folder}; `dvc repro` makes it again")
    return Material(np.concatenate([inputs, made]), np.concatenate([targets, classes]), about["name"], len(made))


def write_synthetic(folder: Path, inputs: np.ndarray, targets: np.ndarray, about: dict[str, Any]) -> None:
    """Write images, their classes and what is known `about` them; with the marks that they are synthetic."""
    with replacing_folder(folder) as partial:
        write_array(partial / "inputs.npy", inputs)
        write_array(partial / "targets.npy", targets)
        digests = {f"{name}_sha256": sha256(partial / f"{name}.npy") for name in ("inputs", "targets")}
        write_json(partial / "about.json", about | {"synthetic": True, "images": len(inputs)} | digests)
