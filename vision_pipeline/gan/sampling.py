"""The random numbers of a GAN's steps, images of a trained generator, and sample sheets.

All random numbers are keyed by seed and step, so that a training can resume at any step.
"""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vision_pipeline.gan.diffaugment import DiffAugParams, sample_diffaug
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.inference import eval_mode
from vision_pipeline.runtime.preprocessing import float_to_uint8, uint8_to_float
from vision_pipeline.runtime.seeding import keyed_generator

_BATCH_SIZE = 250
_GRID_GAP, _GRID_SCALE, _GRID_GREY = 2, 2, 128  # pixels between images; factor of enlargement; color of the gaps


@dataclass(frozen=True)
class StepNoise:
    """The random numbers of one step, on the CPU.

    Attributes:
        rows: int64 (N,), rows of the real images.
        noise: float32 (N, latent), standard normal.
        diffaug: augmentation of 2 N images, first the real ones, then the fake ones.
    """

    rows: Tensor
    noise: Tensor
    diffaug: DiffAugParams


def sample_step(
    num_images: int, batch_size: int, latent: int, *, image_size: tuple[int, int], seed: int, step: int
) -> StepNoise:
    """Return the random numbers of a step.

    Args:
        num_images: number of training images.
        batch_size: number of rows to draw, with replacement.
        latent: length of a noise vector.
        image_size: height and width of an image.
        seed: seed of the training.
        step: number of the step, from 0.
    """
    step_generator = keyed_generator("gan", seed, "step", step)
    rows = torch.randint(num_images, (batch_size,), generator=step_generator)
    noise = torch.randn(batch_size, latent, generator=step_generator)
    return StepNoise(rows, noise, sample_diffaug(2 * batch_size, image_size, step_generator))


def to_symmetric(pixels: Tensor) -> Tensor:
    """Return uint8 (N, H, W, C) as float32 (N, C, H, W) on the scale -1 to 1."""
    return uint8_to_float(pixels) * 2 - 1


def to_pixels(symmetric: Tensor) -> np.ndarray:
    """Return float (N, C, H, W) on the scale -1 to 1 as uint8 (N, H, W, C), each value rounded to the nearest."""
    return float_to_uint8((symmetric.float() + 1) / 2).contiguous().cpu().numpy()


def sample_images(
    network: nn.Module,
    *,
    latent: int,
    num_classes: int,
    per_class: int,
    runtime: Runtime,
    seed: int,
    purpose: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Return generated images, one class after the other.

    Args:
        network: generator on the runtime's device.
        latent: length of its noise vector.
        num_classes: number of classes.
        per_class: number of images of each class.
        runtime: device and precision.
        seed, purpose: key of the noise.

    Returns:
        Images uint8 (N, H, W, C), and their classes int64 (N,).
    """
    targets = torch.arange(num_classes).repeat_interleave(per_class)
    noise = torch.randn(len(targets), latent, generator=keyed_generator("gan", seed, purpose))
    with eval_mode(network), torch.inference_mode(), runtime.autocast():
        generated = [
            to_pixels(network(noise_batch.to(runtime.device), target_batch.to(runtime.device)))
            for noise_batch, target_batch in zip(noise.split(_BATCH_SIZE), targets.split(_BATCH_SIZE), strict=True)
        ]
    return np.concatenate(generated), targets.numpy()


def image_grid_png(images: np.ndarray, num_classes: int) -> bytes:
    """Return a PNG with a row of images for each class, every pixel enlarged without smoothing.

    Args:
        images: uint8 (N, H, W, C), the same number of each class, one class after the other.
        num_classes: number of classes.
    """
    count, height, width, channels = images.shape
    per_class = count // num_classes
    grid = np.full(
        (num_classes * (height + _GRID_GAP) + _GRID_GAP, per_class * (width + _GRID_GAP) + _GRID_GAP, channels),
        _GRID_GREY,
        np.uint8,
    )
    for index, image in enumerate(images):
        row, column = divmod(index, per_class)
        top, left = _GRID_GAP + row * (height + _GRID_GAP), _GRID_GAP + column * (width + _GRID_GAP)
        grid[top : top + height, left : left + width] = image
    enlarged = grid.repeat(_GRID_SCALE, 0).repeat(_GRID_SCALE, 1)
    content = io.BytesIO()
    Image.fromarray(enlarged.squeeze(2) if channels == 1 else enlarged).save(content, format="png")
    return content.getvalue()
