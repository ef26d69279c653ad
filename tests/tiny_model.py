"""A data set and a model that are small enough to be made anew in each test: two classes of 8 x 8 images."""

from pathlib import Path

import numpy as np
import torch

from vision_pipeline.data.format import SPLITS, create_memmap, write_info, write_targets
from vision_pipeline.models.build import build_model
from vision_pipeline.models.checkpoint import Checkpoint

CLASSES = ["dark", "light"]
MLP = {"hidden": [5], "activation": "relu", "dropout": 0.5, "batch_norm": True}
CNN = {**MLP, "channels": [4, 6], "kernel": 3, "padding": 1}
PROVENANCE = {
    "name": "tiny",
    "status": "stand-in",
    "source": "stand-in",
    "digest": "0" * 64,
    "licence": "none | free",
    "note": "",
}


def images(count: int, channels: int = 1, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """uint8 (N, 8, 8, C) around 100 (dark) or 150 (light), so noisy that some are mistaken; int64 (N,)."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, 2, count)
    level = 100 + 50 * targets + random.normal(0, 25, count)
    pixels = level[:, None, None, None] + random.normal(0, 10, (count, 8, 8, channels))
    return pixels.clip(0, 255).astype(np.uint8), targets.astype(np.int64)


def write_set(folder: Path, test: int = 40, channels: int = 1) -> None:
    """A data set in the prepared format, with `rows.csv` of its splits and no rejects."""
    for seed, (split, count) in enumerate(zip(SPLITS, (20, 10, test), strict=True)):
        pixels, targets = images(count, channels, seed)
        create_memmap(folder, split, num_rows=count, shape=[8, 8, channels], kind="images")[:] = pixels
        write_targets(folder, split, targets)
        rows = "".join(f"{row:064x},{split}-{row:04d}\n" for row in range(count))
        (folder / split / "rows.csv").write_text("hash,name\n" + rows)
    (folder / "rejects.csv").write_text("file,reason\n")
    write_info(folder, "images", CLASSES, mean=[0.5] * channels, std=[0.2] * channels, provenance=PROVENANCE)


def tiny_checkpoint(architecture: str = "mlp", channels: int = 1, seed: int = 0) -> Checkpoint:
    """A model with random weights."""
    settings = MLP if architecture == "mlp" else CNN
    torch.manual_seed(seed)
    network = build_model(architecture, settings, [8, 8, channels], 2)
    return Checkpoint(
        name="small",
        architecture=architecture,
        settings=settings,
        input_shape=[8, 8, channels],
        class_names=CLASSES,
        normalize={"mean": [0.5] * channels, "std": [0.2] * channels},
        backbone=None,
        state_dict=network.state_dict(),
        provenance=PROVENANCE,
        training={"key": "0123456789abcdef", "code": "c0de", "seed": 0, "dataset": "tiny", "device": "cpu"}
        | {"precision": "fp32", "threads": 1},
        versions={"torch": "2"},
        metrics={},
    )


def brightness_checkpoint() -> Checkpoint:
    """Logistic regression that compares the mean pixel with 125 of 255: it knows most of `images`."""
    checkpoint = tiny_checkpoint()
    settings = {**MLP, "hidden": []}
    network = build_model("mlp", settings, [8, 8, 1], 2)
    weight, bias = network.state_dict().values()
    weight.copy_(torch.tensor([[-1.0], [1.0]]).expand_as(weight) / 64)
    bias.copy_(torch.tensor([1.0, -1.0]) * (125 / 255 - 0.5) / 0.2)
    return Checkpoint(**{**vars(checkpoint), "settings": settings, "state_dict": network.state_dict()})
