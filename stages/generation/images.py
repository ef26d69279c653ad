"""Pixels as a GAN's networks have them, and images by a trained generator."""

import numpy as np
import torch
from torch import Tensor, nn

from stages.compute.device import Machine
from stages.compute.inference import evaluating
from stages.compute.keyed import generator
from stages.compute.pixels import to_unit

_AT_ONCE = 250


def to_symmetric(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, C, H, W), -1 to 1."""
    return to_unit(pixels) * 2 - 1


def to_pixels(symmetric: Tensor) -> np.ndarray:
    """float (N, C, H, W), -1 to 1, to uint8 (N, H, W, C), rounded to the nearest of the 256 values."""
    pixels = ((symmetric.float() + 1) * 127.5).round().clamp(0, 255)
    return pixels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def make_images(
    network: nn.Module, latent: int, classes: int, per_class: int, machine: Machine, seed: int, purpose: str
) -> tuple[np.ndarray, np.ndarray]:
    """`per_class` images of each class, one class after the other: uint8 (N, H, W, C), and int64 (N,).

    Args:
        network: a generator, on the machine's device.
        latent: numbers of its noise.
        classes: how many.
        per_class: images of each.
        machine: device and precision.
        seed, purpose: key of the noise.
    """
    targets = torch.arange(classes).repeat_interleave(per_class)
    noise = torch.randn(len(targets), latent, generator=generator("gan", seed, purpose))
    with evaluating(network), torch.inference_mode(), machine.autocast():
        made = [
            to_pixels(network(some.to(machine.device), these.to(machine.device)))
            for some, these in zip(noise.split(_AT_ONCE), targets.split(_AT_ONCE), strict=True)
        ]
    return np.concatenate(made), targets.numpy()
