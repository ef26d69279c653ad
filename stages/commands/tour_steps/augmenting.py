"""Data augmentation"""

import torch
from torch import Tensor

from stages.augmentation.policy import Policy
from stages.augmentation.steps import Steps
from stages.commands.tour_steps.material import Material
from stages.params.data import Noise, Translate

_FOUR = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).view(1, 2, 2, 1)


def _augmented(pixels: Tensor, **steps: object) -> Tensor:
    """uint8 (N, H, W, 1) by a policy with these steps alone: float32 (N, 1, H, W), 0 to 255."""
    policy = Policy(name="tour", dataset=None, steps=Steps.model_validate(steps))
    return policy.apply(pixels, torch.arange(len(pixels)), 0, 1, 0, slice(None)) * 255


def flips_and_turns(given: Material) -> None:
    """New images out of old ones: mirrored, upside down, turned by 90 degrees clockwise. Their classes stay.

    `_FOUR` is the image [[1, 2], [3, 4]]; `_augmented` does what a policy of params.yaml with that step alone does.
    """
    print("mirrored   ", _augmented(_FOUR, hflip=1.0).round().int().flatten().tolist())
    print("upside down", _augmented(_FOUR, vflip=1.0).round().int().flatten().tolist())
    print("clockwise  ", _augmented(_FOUR, rot90=1.0).round().int().flatten().tolist())


def shifts(given: Material) -> None:
    """Moved to the right by one pixel, with zeros from outside; by whole pixels every value stays exact."""
    move = Translate(probability=1.0, right=[1, 1], up=[0, 0], whole_pixels=True)
    print(_augmented(_FOUR, translate=move, fill="zeros").round().int().flatten().tolist())


def noise(given: Material) -> None:
    """Gaussian noise is added on the scale 0 to 1 and cut off there; the same seed draws the same noise."""
    grey = torch.full((1, 100, 100, 1), 128, dtype=torch.uint8)
    noisy = _augmented(grey, noise=Noise(probability=1.0, std=[0.1, 0.1])) / 255
    print(f"mean {noisy.mean():.2f}, deviation {noisy.std():.2f}")
    print(torch.equal(noisy, _augmented(grey, noise=Noise(probability=1.0, std=[0.1, 0.1])) / 255))
