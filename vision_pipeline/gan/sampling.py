"""All that is random in a GAN's training and in the making of images: keyed, so that it can go on from any step."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from vision_pipeline.gan.diffaugment import DiffAugParams, sample_diffaug
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.runtime.inference import eval_mode
from vision_pipeline.runtime.preprocessing import uint8_to_float
from vision_pipeline.runtime.seeding import keyed_generator


@dataclass(frozen=True)
class StepNoise:
    """Of one step, on the CPU.

    Attributes:
        rows: int64 (N,), of the real images.
        noise: float32 (N, latent), standard normal.
        diffaug: of 2 N images, first of the real ones, then of those that are made.
    """

    rows: Tensor
    noise: Tensor
    diffaug: DiffAugParams


def sample_step(
    num_images: int, batch_size: int, latent: int, image_size: tuple[int, int], seed: int, step: int
) -> StepNoise:
    """The draws of a step: `batch_size` of the `num_images` rows, each time anew, noise, and changes of images of `image_size`."""
    step_generator = keyed_generator("gan", seed, "step", step)
    rows = torch.randint(num_images, (batch_size,), generator=step_generator)
    noise = torch.randn(batch_size, latent, generator=step_generator)
    return StepNoise(rows, noise, sample_diffaug(2 * batch_size, image_size, step_generator))


# MERGED Pixels as a GAN's networks have them, and images by a trained generator.
_BATCH_SIZE = 250


def to_symmetric(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, C, H, W), -1 to 1."""
    return uint8_to_float(pixels) * 2 - 1


def to_pixels(symmetric: Tensor) -> np.ndarray:
    """float (N, C, H, W), -1 to 1, to uint8 (N, H, W, C), rounded to the nearest of the 256 values."""
    pixels = ((symmetric.float() + 1) * 127.5).round().clamp(0, 255)
    return pixels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def sample_images(
    network: nn.Module, latent: int, num_classes: int, per_class: int, runtime: Runtime, seed: int, purpose: str
) -> tuple[np.ndarray, np.ndarray]:
    """`compute_per_class` images of each class, one class after the other: uint8 (N, H, W, C), and int64 (N,).

    Args:
        network: a generator, on the machine's device.
        latent: numbers of its noise.
        num_classes: how many.
        per_class: images of each.
        runtime: device and precision.
        seed, purpose: key of the noise.
    """
    targets = torch.arange(num_classes).repeat_interleave(per_class)
    noise = torch.randn(len(targets), latent, generator=keyed_generator("gan", seed, purpose))
    with eval_mode(network), torch.inference_mode(), runtime.autocast():
        generated = [
            to_pixels(network(noise_batch.to(runtime.device), target_batch.to(runtime.device)))
            for noise_batch, target_batch in zip(noise.split(_BATCH_SIZE), targets.split(_BATCH_SIZE), strict=True)
        ]
    return np.concatenate(generated), targets.numpy()


# MERGED Sample sheets: some images of each class in a grid, every pixel as it is.
_GRID_GAP = 2  # pixels between images
_GRID_GREY = 128
_GRID_SCALE = 2


def image_grid_png(images: np.ndarray, num_classes: int) -> bytes:
    """A PNG of images, a row for each class.

    Args:
        images: uint8 (N, H, W, C), as many of each class, one class after the other.
        num_classes: how many.
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
