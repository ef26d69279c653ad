"""Compute the features of a data set's images by a frozen backbone, once; writes data/features/FEATURES."""

from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

import numpy as np

from stages.datasets.format import (
    SPLITS,
    PreparedSet,
    array_file,
    describe,
    open_set,
    read_array,
    read_rows,
    write_targets,
)
from stages.params import load
from stages.project.console import Refusal, bar
from stages.project.door import open_door
from stages.project.files import read_json, replacing_folder, write_json, write_text
from stages.project.locks import turn
from stages.project.paths import AUGMENTED, FEATURES, PREPARED, WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from stages.augmentation.policy import Policy
    from stages.models.features import Extractor

_SMALLEST = 32  # pixels of height and width: most networks halve their inputs five times


def main(name: str) -> None:
    """Write data/features/NAME/."""
    seed, device, precision, threads, deterministic, wanted = load(
        "seed", "device", "precision", "threads", "deterministic", f"features.{name}"
    )

    from stages.augmentation.policy import read_policy
    from stages.compute.device import set_up
    from stages.models.backbones import load_backbone
    from stages.models.features import Extractor, mean_and_std

    images, weights = open_set(PREPARED / wanted.dataset), WEIGHTS / wanted.backbone
    _refuse_unfit(wanted.dataset, images.about.shape)
    policy = read_policy(AUGMENTED / wanted.augmentation / "policy.json")
    about = read_json(weights / "backbone.json")
    about["weights"] = dict(read_json(weights / "provenance.json"))
    network = load_backbone(about["library"], about["network"], weights / "weights.safetensors")
    machine = set_up(device, precision, threads, convolutions=True, deterministic=deterministic)
    extractor = Extractor(network, about, machine, wanted.batch_size, images.about.shape)
    with turn(machine.places), replacing_folder(FEATURES / name) as folder:
        _write_splits(folder, images, extractor, policy, seed, wanted.views)
        copyfile(weights / "weights.safetensors", folder / "backbone.safetensors")
        write_json(folder / "backbone.json", about)
        provenance = {**images.about.provenance, "backbone": {"name": wanted.backbone, "weights": about["weights"]}}
        mean, std = mean_and_std(read_array(folder / "train" / "inputs.npy"))
        describe(folder, "features", images.about.class_names, mean, std, provenance)


def _refuse_unfit(dataset: str, shape: list[int]) -> None:
    height, width, channels = shape
    if channels != 3 or min(height, width) < _SMALLEST:
        key = f"datasets.{dataset}.prepare"
        raise Refusal(
            f"a backbone takes RGB images of at least {_SMALLEST}x{_SMALLEST} pixels, those of {dataset} are "
            f"{height}x{width} with {channels} channel(s); set {key}.size and {key}.channels to 3"
        )


def _write_splits(
    folder: Path, images: PreparedSet, extractor: "Extractor", policy: "Policy", seed: int, views: int
) -> None:
    """Features, targets and rows of all splits; train's views stand one after the other, the plain one first."""
    counts = {split: views if split == "train" else 1 for split in SPLITS}
    total = sum(counts[split] * len(images.targets(split)) for split in SPLITS)
    with bar(total, f"features of {images.folder.name}") as shown:
        for split in SPLITS:
            pixels, count = images.inputs(split), counts[split]
            into = array_file(folder, split, count * len(pixels), [extractor.size], "features")
            for view in range(count):
                rows = slice(view * len(pixels), (view + 1) * len(pixels))
                extractor.write(pixels, _seen(policy, seed, view), into[rows], shown)
            write_targets(folder, split, np.tile(images.targets(split), count))
            header, lines = read_rows(images.folder, split)
            write_text(folder / split / "rows.csv", header + "".join(lines) * count)


def _seen(policy: "Policy", seed: int, view: int) -> "Callable[[Tensor, Tensor, int], Tensor]":
    """What a view makes of a batch of pixels, their rows and its number; the first view is the plain image."""
    from stages.compute.pixels import to_unit

    if view == 0:
        return lambda pixels, rows, step: to_unit(pixels)
    return lambda pixels, rows, step: policy.apply(pixels, rows, seed, view, step)


if __name__ == "__main__":
    open_door(main, __doc__, "features of params.yaml")
