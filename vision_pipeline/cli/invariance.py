"""`vision invariance`: how often a model predicts the same class for an image and for its altered copies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import typer

from vision_pipeline.cli.checkpoints import resolve_checkpoint
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import ArtifactError, UserError
from vision_pipeline.core.paths import AUGMENTED, PREPARED
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.data.format import PreparedDataset, open_dataset

if TYPE_CHECKING:
    from vision_pipeline.augmentation.policy import AugmentationPolicy
    from vision_pipeline.models.checkpoint import Checkpoint


class Invariance(NamedTuple):
    """A model's agreement and accuracy on images and their altered copies; all are shares, 0 to 1.

    Attributes:
        agreement: share of the copies that get the same class as their image.
        low, high: the agreement's 95 % interval over the images, by the normal approximation.
        accuracy: accuracy on the images as they are.
        altered_accuracy: accuracy on the copies.
    """

    agreement: float
    low: float
    high: float
    accuracy: float
    altered_accuracy: float


def invariance(
    models: Annotated[list[str], typer.Argument(help="Checkpoints, or names of exported models.")],
    policy: Annotated[str, typer.Option(help="The augmentation policy that alters the images.")],
    copies: Annotated[int, typer.Option(min=1, help="Altered copies of each image.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of the alterations.")] = 0,
) -> None:
    """Compare what models say of test images with what they say of altered copies: the same, if they learnt well."""
    from vision_pipeline.models.checkpoint import load_checkpoint

    augmentation = _load_policy(policy)
    data = open_dataset(PREPARED / str(augmentation.dataset))
    checkpoints = [load_checkpoint(resolve_checkpoint(model)) for model in models]
    for checkpoint in checkpoints:
        _check_compatible(checkpoint, augmentation, data)
    results = [
        (name, measure_invariance(checkpoint, augmentation, data, copies=copies, seed=seed))
        for name, checkpoint in zip(models, checkpoints, strict=True)
    ]
    images_text = f"{len(data.targets('test')):,} test images of {augmentation.dataset}"
    copies_text = "1 copy" if copies == 1 else f"{copies} copies"
    typer.echo(f"{images_text}, {copies_text} of each, altered by {policy}\n")
    typer.echo(_format_table(results))


def _format_table(results: list[tuple[str, Invariance]]) -> str:
    from tabulate import tabulate

    header = ["model", "same answer", "95 % interval", "accuracy", "of altered"]
    rows = [
        [name, f"{result.agreement:.2%}", f"{result.low:.2%} to {result.high:.2%}", f"{result.accuracy:.2%}",
         f"{result.altered_accuracy:.2%}"]
        for name, result in results
    ]  # fmt: skip
    alignment = ["left", *["right"] * (len(header) - 1)]
    table: str = tabulate([header, *rows], tablefmt="plain", disable_numparse=True, colalign=alignment)
    return table


def measure_invariance(
    checkpoint: "Checkpoint", policy: "AugmentationPolicy", data: PreparedDataset, *, copies: int, seed: int
) -> Invariance:
    """Compare a model's predictions for test images and for altered copies of them, drawn as in training.

    Args:
        checkpoint: a model of images of `data`.
        policy: the augmentation policy that alters the images.
        data: the prepared data set.
        copies: number of altered copies of each image.
        seed: seed of the alterations.
    """
    from vision_pipeline.augmentation.offline import iter_augmented
    from vision_pipeline.models.checkpoint import build_pixel_model
    from vision_pipeline.runtime.device import setup_runtime
    from vision_pipeline.runtime.inference import predict_logits

    runtime = setup_runtime("auto", "fp32", 0, has_convolutions=False)
    network = build_pixel_model(checkpoint).to(runtime.device)

    def predict_classes(pixels: np.ndarray, label: str | None = None) -> np.ndarray:
        classes: np.ndarray = predict_logits(network, pixels, runtime, description=label).argmax(1).numpy()
        return classes

    images, targets = data.inputs("test"), data.targets("test")
    original_classes = predict_classes(images, f"{checkpoint.name}: images as they are")
    batch_classes = []
    with progress_bar(copies * len(images), f"{checkpoint.name}: altered copies") as pbar:
        for batch in iter_augmented(policy, images, seed=seed, num_passes=copies):
            batch_classes.append(predict_classes(batch))
            pbar.update(len(batch))
    altered_classes = np.concatenate(batch_classes).reshape(copies, -1)
    agreements = (altered_classes == original_classes).mean(0)
    half_width = 1.96 * agreements.std() / len(agreements) ** 0.5
    agreement = float(agreements.mean())
    low, high = max(0.0, agreement - half_width), min(1.0, agreement + half_width)
    return Invariance(
        agreement, low, high, float((original_classes == targets).mean()), float((altered_classes == targets).mean())
    )


def _load_policy(name: str) -> "AugmentationPolicy":
    """Read a policy that alters images, and not their style, which needs a backbone.

    Raises:
        ArtifactError: no policy of that name was resolved by the stage `augment`.
        UserError: the policy alters no image, or their style.
    """
    from vision_pipeline.augmentation.policy import read_policy

    path = AUGMENTED / name / "policy.json"
    if Path(name).name != name or not path.is_file():
        available = sorted(policy_file.parent.name for policy_file in AUGMENTED.glob("*/policy.json"))
        raise ArtifactError(
            f"{path} is not there; {did_you_mean(name, available)}, or `dvc repro augment@{name}` makes it"
        )
    policy = read_policy(path)
    if policy.dataset is None or policy.steps.style is not None:
        fix = "name one that flips, turns, scales or moves them"
        raise UserError(f"policy {name} alters no image, or its looks; {fix}")
    return policy


def _check_compatible(checkpoint: "Checkpoint", policy: "AugmentationPolicy", data: PreparedDataset) -> None:
    """Refuse a model of other images or classes than those of the policy's data set."""
    if (checkpoint.input_shape, checkpoint.class_names) != (data.info.shape, data.info.class_names):
        raise UserError(f"{checkpoint.name} is no model of {policy.dataset}, which policy {policy.name} is for")
