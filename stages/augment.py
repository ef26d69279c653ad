"""Resolve an augmentation policy, draw its preview sheet and, if `views` is above 0, store augmented copies.

A stage of dvc.yaml: `dvc repro augment@NAME`. Training on the plain images depends on `policy.json` alone.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import atomic_dir, read_json, write_bytes, write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import AUGMENTED, PREPARED, WEIGHTS
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.augmented import write_augmented_dataset
from vision_pipeline.data.format import PreparedDataset, open_dataset

if TYPE_CHECKING:
    from vision_pipeline.augmentation.offline import StyleAugmentation
    from vision_pipeline.augmentation.transforms import TransformConfig


def main(name: str) -> None:
    """Write data/augmented/NAME/: policy.json, preview.png, views/."""
    seed, device, threads, deterministic, settings = load_params(
        "seed", "device", "threads", "deterministic", f"policies.{name}"
    )
    from vision_pipeline.augmentation.offline import iter_augmented
    from vision_pipeline.augmentation.policy import read_policy
    from vision_pipeline.augmentation.preview import render_preview
    from vision_pipeline.augmentation.transforms import resolve_policy

    folder = AUGMENTED / name
    prepared = open_dataset(PREPARED / settings.dataset)
    write_json(folder / "policy.json", resolve_policy(name, settings))
    policy = read_policy(folder / "policy.json")
    style_augmentation = _load_style_augmentation(
        policy.steps, prepared, device=device, threads=threads, deterministic=deterministic
    )
    images, targets = prepared.inputs("train"), prepared.targets("train")
    preview = render_preview(
        policy, images, targets, prepared.info.class_names, seed=seed, style_augmentation=style_augmentation
    )
    write_bytes(folder / "preview.png", preview)
    with atomic_dir(folder / "views") as views_dir:  # an out of the stage, so it exists also when it is empty
        if settings.views:
            copies = iter_augmented(
                policy, images, seed=seed, num_passes=settings.views, style_augmentation=style_augmentation
            )
            metadata = {"policy": name, "views": settings.views, "style": _describe_style(policy.steps)}
            write_augmented_dataset(views_dir, prepared, copies, num_copies=settings.views, augmentation=metadata)


def _load_style_augmentation(
    steps: "TransformConfig", prepared: PreparedDataset, *, device: str, threads: int, deterministic: bool
) -> "StyleAugmentation | None":
    """Load the backbone and the pictures of the policy's style; return None if the policy has no style."""
    if steps.style is None:
        return None
    from vision_pipeline.augmentation.offline import StyleAugmentation
    from vision_pipeline.models.activations import ActivationExtractor, get_style_layers
    from vision_pipeline.models.backbones import load_backbone
    from vision_pipeline.runtime.device import setup_runtime
    from vision_pipeline.sources.image_files import list_files
    from vision_pipeline.style_transfer.style_images import iter_style_images
    from vision_pipeline.style_transfer.transfer import StyleTransfer

    weights = WEIGHTS / steps.style.backbone
    runtime = setup_runtime(device, "fp32", threads, has_convolutions=True, deterministic=deterministic)
    backbone_metadata = read_json(weights / "backbone.json")
    layers = list(get_style_layers(backbone_metadata["network"]).style)
    network = load_backbone(backbone_metadata["library"], backbone_metadata["network"], weights / "weights.safetensors")
    size = prepared.info.shape[0]
    style_images = iter_style_images(Path(steps.style.pictures), size, _read_picture, list_files)
    transfer = StyleTransfer(
        ActivationExtractor(network, backbone_metadata, layers, runtime.device), style_images, runtime.device
    )
    logger.debug(f"style transfer by {steps.style.backbone} from {transfer.num_styles} pictures of {size} pixels")
    return StyleAugmentation(steps.style, transfer, transfer.num_styles)


def _read_picture(path: Path, size: int) -> np.ndarray:
    """Return a picture's pixels, uint8 (size, size, 3).

    Raises:
        DataError: it is no image.
    """
    from vision_pipeline.data.decode import ImageDecodeError, read_image, resize_center_crop

    try:
        return resize_center_crop(read_image(path), size, 3)
    except ImageDecodeError as error:
        raise DataError(f"{path} is no style picture: {error}; take it out of the folder") from error


def _describe_style(steps: "TransformConfig") -> dict[str, Any] | None:
    """Return the provenance of the views' style: its settings, and the provenance of the backbone's weights."""
    if steps.style is None:
        return None
    return steps.style.model_dump() | {"weights": read_json(WEIGHTS / steps.style.backbone / "provenance.json")}


if __name__ == "__main__":
    run_stage(main, __doc__ or "", "a policy of params.yaml")
