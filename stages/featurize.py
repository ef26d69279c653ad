"""Compute the features of a data set's images by a frozen backbone, once; writes data/features/FEATURES."""

from pathlib import Path
from shutil import copyfile
from typing import TYPE_CHECKING

import numpy as np

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import atomic_dir, read_json, write_json, write_text
from vision_pipeline.core.locks import cpu_slot
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

_MIN_IMAGE_SIZE = 32  # pixels of height and width: most networks halve their inputs five times


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
    extractor = FeatureExtractor(network, backbone_metadata, runtime, settings.batch_size, images.info.shape)
    with cpu_slot(runtime.max_parallel_stages), atomic_dir(FEATURES / name) as folder:
        _write_splits(folder, images, extractor, policy, seed, settings.views)
        copyfile(weights / "weights.safetensors", folder / "backbone.safetensors")
        write_json(folder / "backbone.json", backbone_metadata)
        provenance = {
            **images.info.provenance,
            "backbone": {"name": settings.backbone, "weights": backbone_metadata["weights"]},
        }
        mean, std = compute_feature_mean_std(read_array(folder / "train" / "inputs.npy"))
        write_info(folder, "features", images.info.class_names, mean=mean, std=std, provenance=provenance)


def _check_shape(dataset: str, shape: list[int]) -> None:
    height, width, channels = shape
    if channels != 3 or min(height, width) < _MIN_IMAGE_SIZE:
        key = f"datasets.{dataset}.prepare"
        raise UserError(
            f"a backbone takes RGB images of at least {_MIN_IMAGE_SIZE}x{_MIN_IMAGE_SIZE} pixels, those of {dataset} are "
            f"{height}x{width} with {channels} channel(s); set {key}.size and {key}.channels to 3"
        )


def _write_splits(
    folder: Path,
    images: PreparedDataset,
    extractor: "FeatureExtractor",
    policy: "AugmentationPolicy",
    seed: int,
    views: int,
) -> None:
    """Features, targets and rows of all splits; train's views stand one after the other, the plain one first."""
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
    """What a view makes of a batch of pixels, their rows and its number; the first view is the plain image."""
    from vision_pipeline.runtime.preprocessing import uint8_to_float

    if view == 0:
        return lambda pixels, rows, step: uint8_to_float(pixels)
    return lambda pixels, rows, step: policy.apply(pixels, rows, seed, view, step)


if __name__ == "__main__":
    run_stage(main, __doc__, "features of params.yaml")
