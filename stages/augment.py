"""Resolve an augmentation policy, draw its preview sheet and, where asked, store augmented copies.

A stage of dvc.yaml: `dvc repro augment@NAME`. Training on the plain images depends on `policy.json` alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.datasets.augmented import write_views
from stages.datasets.format import PreparedSet, open_set
from stages.params import load
from stages.project.console import Refusal
from stages.project.door import open_door
from stages.project.files import read_json, replacing_folder, write_bytes, write_json
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
            write_views(into, prepared, copies, settings.views, about)


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
    from stages.sources.image_files import files_below
    from stages.styling.pictures import pictures
    from stages.styling.transfer import Transfer

    weights = WEIGHTS / steps.style.backbone
    machine = set_up(device, "fp32", threads, convolutions=True, deterministic=deterministic)
    about = read_json(weights / "backbone.json")
    layers = list(style_layers(about["network"]).style)
    network = load_backbone(about["library"], about["network"], weights / "weights.safetensors")
    drawn = pictures(Path(steps.style.pictures), prepared.about.shape[0], _read_picture, files_below)
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


if __name__ == "__main__":
    open_door(main, __doc__ or "", "a policy of params.yaml")
