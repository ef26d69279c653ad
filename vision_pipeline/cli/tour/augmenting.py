"""Data augmentation"""

import torch
from torch import Tensor

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.cli.tour.tour_data import TourData
from vision_pipeline.config.data import NoiseConfig, TranslateConfig

_FOUR = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(1, 2, 2, 1)


def _augment(pixels: Tensor, **steps: object) -> Tensor:
    """Augment uint8 (N, H, W, 1) by a policy with these steps alone; returns float32 (N, 1, H, W), 0 to 255."""
    policy = AugmentationPolicy(name="tour", dataset=None, steps=TransformConfig.model_validate(steps))
    return policy.apply(pixels, torch.arange(len(pixels)), seed=0, epoch=1, step=0) * 255


def flips_and_turns(data: TourData) -> None:
    """New images out of old ones: mirrored, upside down, turned by 90 degrees clockwise. Their classes stay.

    `_FOUR` is the image [[1, 2], [3, 4]]; `_augment` does what a policy of params.yaml with that step alone does.
    """
    print("mirrored   ", _augment(_FOUR, hflip=1.0).round().int().flatten().tolist())
    print("upside down", _augment(_FOUR, vflip=1.0).round().int().flatten().tolist())
    print("clockwise  ", _augment(_FOUR, rot90=1.0).round().int().flatten().tolist())


def shifts(data: TourData) -> None:
    """Moved to the right by one pixel, with zeros from outside; by whole pixels every value stays exact."""
    move = TranslateConfig(probability=1.0, right=[1, 1], up=[0, 0], whole_pixels=True)
    print(_augment(_FOUR, translate=move, fill="zeros").round().int().flatten().tolist())


def noise(data: TourData) -> None:
    """Gaussian noise is added on the scale 0 to 1 and cut off there; the same seed draws the same noise."""
    grey = torch.full((1, 100, 100, 1), 128, dtype=torch.uint8)
    noisy = _augment(grey, noise=NoiseConfig(probability=1.0, std=[0.1, 0.1])) / 255
    print(f"mean {noisy.mean():.2f}, deviation {noisy.std():.2f}")
    print(torch.equal(noisy, _augment(grey, noise=NoiseConfig(probability=1.0, std=[0.1, 0.1])) / 255))
