"""Resolve an augmentation policy, draw its preview sheet and, where asked, store augmented copies.

A stage of dvc.yaml: `dvc repro augment@NAME`. Training depends on `policy.json` alone.
"""

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from stages.datasets.format import PreparedSet, array_file, describe, open_set, write_targets
from stages.datasets.statistics import mean_and_std
from stages.params import load
from stages.project.console import bar
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_bytes, write_json
from stages.project.paths import AUGMENTED, PREPARED

if TYPE_CHECKING:
    from stages.augmentation.policy import Policy


def main(name: str) -> None:
    """Write data/augmented/NAME/: policy.json, preview.png, views/."""
    seed, settings = load("seed", f"policies.{name}")
    from stages.augmentation.policy import read_policy
    from stages.augmentation.sheet import sheet
    from stages.augmentation.steps import resolve

    folder = AUGMENTED / name
    prepared = open_set(PREPARED / settings.dataset)
    write_json(folder / "policy.json", resolve(name, settings))
    policy = read_policy(folder / "policy.json")
    images, targets = prepared.inputs("train"), prepared.targets("train")
    write_bytes(folder / "preview.png", sheet(policy, images, targets, prepared.about.class_names, seed))
    with replacing_folder(folder / "views") as views:  # an out of the stage, so it is there also when empty
        if settings.views:
            _write_views(views, prepared, policy, seed, settings.views)


def _write_views(folder: Path, prepared: PreparedSet, policy: "Policy", seed: int, count: int) -> None:
    """A data set whose train is `count` augmented copies of each image; val and test stay as they are."""
    from stages.augmentation.views import views

    images = prepared.inputs("train")
    stored = array_file(folder, "train", len(images) * count, prepared.about.shape, "images")
    with bar(len(stored), f"views of {prepared.folder.name}") as shown:
        for batch in views(policy, images, seed, count):
            stored[shown.n : shown.n + len(batch)] = batch
            shown.update(len(batch))
    mean, std = mean_and_std(stored)
    write_targets(folder, "train", np.tile(prepared.targets("train"), count))
    header, *rows = (prepared.folder / "train" / "rows.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "train" / "rows.csv").write_text(header + "".join(rows) * count)
    for split in ("val", "test"):
        shutil.copytree(prepared.folder / split, folder / split)
    describe(folder, "images", prepared.about.class_names, mean, std, prepared.about.provenance)


if __name__ == "__main__":
    open_door(main, __doc__ or "", "a policy of params.yaml")
