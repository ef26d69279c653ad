"""Compute the features of a data set's images by a frozen backbone, and write data/features/FEATURES.

A stage of dvc.yaml: `dvc repro featurize@FEATURES`.
"""

from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

import numpy as np

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import atomic_dir, read_json, write_json, write_text
from vision_pipeline.core.limits import MIN_BACKBONE_SIZE
from vision_pipeline.core.locks import cpu_slot
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import AUGMENTED, FEATURES, PREPARED, WEIGHTS
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.format import (
    SPLITS,
    PreparedDataset,
    create_memmap,
    open_dataset,
    read_array,
    read_rows_csv,
    write_info,
    write_targets,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from vision_pipeline.augmentation.policy import AugmentationPolicy
    from vision_pipeline.models.features import FeatureExtractor


def main(name: str) -> None:
    """Write data/features/NAME/."""
    seed, device, precision, threads, deterministic, settings = load_params(
        "seed", "device", "precision", "threads", "deterministic", f"features.{name}"
    )

    from vision_pipeline.augmentation.policy import read_policy
    from vision_pipeline.models.backbones import load_backbone
    from vision_pipeline.models.features import FeatureExtractor, compute_feature_mean_std
    from vision_pipeline.runtime.device import setup_runtime

    images, weights = open_dataset(PREPARED / settings.dataset), WEIGHTS / settings.backbone
    _check_shape(settings.dataset, images.info.shape)
    policy = read_policy(AUGMENTED / settings.augmentation / "policy.json")
    backbone_metadata = read_json(weights / "backbone.json")
    backbone_metadata["weights"] = dict(read_json(weights / "provenance.json"))
    network = load_backbone(backbone_metadata["library"], backbone_metadata["network"], weights / "weights.safetensors")
    runtime = setup_runtime(device, precision, threads, has_convolutions=True, deterministic=deterministic)
    extractor = FeatureExtractor(
        network, backbone_metadata, runtime=runtime, batch_size=settings.batch_size, shape=images.info.shape
    )
    logger.debug(f"{settings.backbone} computes {extractor.num_features} features on {runtime.device}")
    with cpu_slot(runtime.max_parallel_stages), atomic_dir(FEATURES / name) as folder:
        _write_splits(folder, images, extractor, policy=policy, seed=seed, views=settings.views)
        copyfile(weights / "weights.safetensors", folder / "backbone.safetensors")
        write_json(folder / "backbone.json", backbone_metadata)
        provenance = {
            **images.info.provenance,
            "backbone": {"name": settings.backbone, "weights": backbone_metadata["weights"]},
        }
        mean, std = compute_feature_mean_std(read_array(folder / "train" / "inputs.npy"))
        write_info(folder, "features", images.info.class_names, mean=mean, std=std, provenance=provenance)


def _check_shape(dataset: str, shape: list[int]) -> None:
    """Check that a backbone can take the images.

    Raises:
        DataError: they are too small, or not RGB.
    """
    height, width, channels = shape
    if channels != 3 or min(height, width) < MIN_BACKBONE_SIZE:
        key = f"datasets.{dataset}.prepare"
        raise DataError(
            f"a backbone takes RGB images of at least {MIN_BACKBONE_SIZE}x{MIN_BACKBONE_SIZE} pixels, "
            f"those of {dataset} are {height}x{width} with {channels} channel(s); "
            f"set {key}.size and {key}.channels to 3"
        )


def _write_splits(
    folder: Path,
    images: PreparedDataset,
    extractor: "FeatureExtractor",
    *,
    policy: "AugmentationPolicy",
    seed: int,
    views: int,
) -> None:
    """Write features, targets and rows of all splits; train's views follow one another, the plain images first."""
    counts = {split: views if split == "train" else 1 for split in SPLITS}
    total = sum(counts[split] * len(images.targets(split)) for split in SPLITS)
    with progress_bar(total, f"features of {images.folder.name}") as pbar:
        for split in SPLITS:
            pixels, count = images.inputs(split), counts[split]
            out = create_memmap(
                folder, split, num_rows=count * len(pixels), shape=[extractor.num_features], kind="features"
            )
            for view in range(count):
                rows = slice(view * len(pixels), (view + 1) * len(pixels))
                extractor.extract_into(pixels, _view_transform(policy, seed, view), out[rows], pbar)
            write_targets(folder, split, np.tile(images.targets(split), count))
            header, lines = read_rows_csv(images.folder, split)
            write_text(folder / split / "rows.csv", header + "".join(lines) * count)


def _view_transform(policy: "AugmentationPolicy", seed: int, view: int) -> "Callable[[Tensor, Tensor, int], Tensor]":
    """Return the transform of a view, for `FeatureExtractor.extract_into`; the first view is the plain image."""
    from vision_pipeline.runtime.preprocessing import uint8_to_float

    if view == 0:
        return lambda pixels, rows, step: uint8_to_float(pixels)
    return lambda pixels, rows, step: policy.apply(pixels, rows, seed=seed, epoch=view, step=step)


if __name__ == "__main__":
    run_stage(main, __doc__, "features of params.yaml")
