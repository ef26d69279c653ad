"""Resolve an augmentation policy, draw its preview sheet and, where asked, store augmented copies.

A stage of dvc.yaml: `dvc repro augment@NAME`. Training on the plain images depends on `policy.json` alone.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.datasets.format import PreparedSet, array_file, describe, open_set, read_rows, write_targets
from stages.datasets.statistics import mean_and_std
from stages.params import load
from stages.project.console import Refusal, bar
from stages.project.door import open_door
from stages.project.files import read_json, replacing_folder, write_bytes, write_json, write_text
from stages.project.paths import AUGMENTED, PREPARED, WEIGHTS

if TYPE_CHECKING:
    from stages.augmentation.steps import Steps
    from stages.augmentation.style import Restyle


def main(name: str) -> None:
    """Write data/augmented/NAME/: policy.json, preview.png, views/."""
    seed, device, threads, deterministic, settings = load(
        "seed", "device", "threads", "deterministic", f"policies.{name}"
    )
    from stages.augmentation.policy import read_policy
    from stages.augmentation.sheet import sheet
    from stages.augmentation.steps import resolve
    from stages.augmentation.views import views

    folder = AUGMENTED / name
    prepared = open_set(PREPARED / settings.dataset)
    write_json(folder / "policy.json", resolve(name, settings))
    policy = read_policy(folder / "policy.json")
    restyle = _restyle(policy.steps, prepared, device, threads, deterministic)
    images, targets = prepared.inputs("train"), prepared.targets("train")
    write_bytes(folder / "preview.png", sheet(policy, images, targets, prepared.about.class_names, seed, restyle))
    with replacing_folder(folder / "views") as into:  # an out of the stage, so it is there also when empty
        if settings.views:
            copies = views(policy, images, seed, settings.views, restyle)
            about = {"policy": name, "views": settings.views, "style": _style(policy.steps)}
            _write_views(into, prepared, copies, settings.views, about)


def _restyle(
    steps: "Steps", prepared: PreparedSet, device: str, threads: int, deterministic: bool
) -> "Restyle | None":  # fmt: skip
    """The policy's style, made ready by its backbone and its pictures; only then is there a network."""
    if steps.style is None:
        return None
    from stages.augmentation.style import Restyle
    from stages.compute.device import set_up
    from stages.models.backbones import load_backbone
    from stages.models.taps import Taps, style_layers
    from stages.styling.pictures import pictures
    from stages.styling.transfer import Transfer

    weights = WEIGHTS / steps.style.backbone
    machine = set_up(device, "fp32", threads, convolutions=True, deterministic=deterministic)
    about = read_json(weights / "backbone.json")
    layers = list(style_layers(about["network"]).style)
    network = load_backbone(about["library"], about["network"], weights / "weights.safetensors")
    drawn = pictures(Path(steps.style.pictures), prepared.about.shape[0], _read_picture)
    transfer = Transfer(Taps(network, about, layers, machine.device), drawn, machine.device)
    return Restyle(steps.style, transfer, transfer.count)


def _read_picture(path: Path, size: int) -> np.ndarray:
    from stages.datasets.decode import Unreadable, fit, read

    try:
        return fit(read(path), size, 3)
    except Unreadable as error:
        raise Refusal(f"{path} is no style picture: {error}; take it out of the folder") from error


def _style(steps: "Steps") -> dict[str, Any] | None:
    """What the provenance of views says of their style: its settings, and whose weights saw it."""
    if steps.style is None:
        return None
    return steps.style.model_dump() | {"weights": read_json(WEIGHTS / steps.style.backbone / "provenance.json")}


def _write_views(
    folder: Path, prepared: PreparedSet, copies: Iterator[np.ndarray], count: int, about: dict[str, Any]
) -> None:
    """A data set whose train is `count` augmented copies of each image; val and test stay as they are."""
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


if __name__ == "__main__":
    open_door(main, __doc__ or "", "a policy of params.yaml")
