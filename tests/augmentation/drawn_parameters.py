"""Chosen augmentation parameters, and random images."""

import torch
from torch import Tensor

from vision_pipeline.augmentation.sampling import AugmentParams

FILLS = ("zeros", "border", "reflection")


def drawn_as(images: int, noise: Tensor | None = None, **values: float | list[float]) -> AugmentParams:
    """Return parameters for `images` images: those of `values`, for all of them or one by one, the others neutral."""
    neutral = {"rot90": 0, "hflip": 0, "vflip": 0, "degrees": 0, "factor": 1, "right": 0, "up": 0, "std": 0}
    fields = {}
    for name, value in {**neutral, **values}.items():
        dtype = torch.bool if name in ("rot90", "hflip", "vflip") else torch.float64
        fields[name] = torch.tensor(value, dtype=dtype).expand(images).clone()
    count = int((fields["std"] > 0).sum())
    return AugmentParams(**fields, noise=torch.zeros(count, 1, 1, 1) if noise is None else noise)


def random_pixels(count: int, size: int = 8, channels: int = 3, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, size, size, channels), dtype=torch.uint8, generator=generator)
