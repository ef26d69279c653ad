"""Features of images by a frozen backbone, batch by batch onto disk."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from stages.compute.device import Machine, memory_told
from stages.compute.pixels import Normalize
from stages.models.backbones import feature_size
from stages.models.folding import folded
from stages.project.console import Refusal

_SPREAD = 1e-6  # a feature that spreads less over the images is constant
ToUnit = Callable[[Tensor, Tensor, int], Tensor]
_ROWS = 4096  # of features in memory at a time, as float64


class Extractor:
    """A frozen backbone made ready for one machine; `size` is the number of its features."""

    def __init__(
        self, network: nn.Module, about: dict[str, Any], machine: Machine, batch_size: int, shape: list[int]
    ) -> None:
        """Make `network` ready; itself it stays as it is.

        Args:
            network: the backbone.
            about: its `name`, and `mean` and `std` of its inputs.
            machine: device and precision.
            batch_size: images that go through at a time.
            shape: [height, width, 3] of an image.

        Raises:
            Refusal: the network cannot take such images.
        """
        height, width, _ = shape
        self.size = feature_size(network, height, width)
        fast = folded(network, torch.randn(1, 3, height, width, generator=torch.Generator().manual_seed(0)))
        scale = Normalize(about["mean"], about["std"])
        self._network = nn.Sequential(scale, fast.to(memory_format=torch.channels_last)).to(machine.device)
        self._name, self._machine, self._batch_size = about["name"], machine, batch_size

    @torch.inference_mode()
    def write(self, images: np.ndarray, to_unit: ToUnit, into: np.ndarray, shown: Any) -> None:
        """Compute the features of `images` into `into`.

        Args:
            images: uint8 (N, H, W, 3), also memory-mapped.
            to_unit: a batch of them, their rows and its number to float32 (N, 3, H, W) on the scale 0 to 1.
            into: float16 (N, D), filled in place.
            shown: a progress bar, moved on by images.

        Raises:
            Refusal: a feature is not finite, or the device's memory ran out.
        """
        for step, start in enumerate(range(0, len(images), self._batch_size)):
            rows = slice(start, start + self._batch_size)
            features = self._features(np.array(images[rows]), to_unit, start, step)
            if not np.isfinite(features).all():
                raise Refusal(f"{self._name} gives features that are not finite; are its weights damaged?")
            into[rows] = features
            shown.update(len(features))

    def _features(self, images: np.ndarray, to_unit: ToUnit, first: int, step: int) -> np.ndarray:
        with memory_told(f" in {self._name}; lower features.*.batch_size ({self._batch_size})"):
            pixels = torch.from_numpy(images).to(self._machine.device)
            unit = to_unit(pixels, first + torch.arange(len(images)), step)
            with self._machine.autocast():
                features: Tensor = self._network(unit)
            return features.half().cpu().numpy()


def mean_and_std(features: np.ndarray) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each column of float16 (N, D), as float32 values; 1 where it is constant."""
    total, squares = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for start in range(0, len(features), _ROWS):
        total += features[start : start + _ROWS].astype(np.float64).sum(0)
    mean = total / len(features)
    for start in range(0, len(features), _ROWS):
        squares += ((features[start : start + _ROWS].astype(np.float64) - mean) ** 2).sum(0)
    std = np.sqrt(squares / len(features))
    return mean.astype(np.float32).tolist(), np.where(std < _SPREAD, 1.0, std).astype(np.float32).tolist()
