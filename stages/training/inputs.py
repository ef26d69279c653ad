"""From a stored batch to what the network takes."""

from collections.abc import Callable

import torch
from torch import Tensor

from stages.compute.pixels import Normalize, to_unit

Augment = Callable[[Tensor, int, int, int, slice], Tensor]


class ImageInputs:
    """uint8 (N, H, W, C) to normalised float32 (N, C, H, W); augmented for training, as stored for validation.

    Args:
        augment: pixels, seed, epoch, step and the rows that are wanted to float32 (N, C, H, W) on the scale 0 to 1.
        mean, std: per channel, on the scale 0 to 1.
        seed: of the augmentation.
        device: of the batches.
    """

    def __init__(self, augment: Augment, mean: list[float], std: list[float], seed: int, device: torch.device) -> None:
        self._augment, self._seed = augment, seed
        self._normalize = Normalize(mean, std).to(device)

    def to_train(self, pixels: Tensor, epoch: int, step: int, rows: slice) -> Tensor:
        """Some rows of the batch as training sees it at an epoch and step."""
        return self._normalize(self._augment(pixels, self._seed, epoch, step, rows))

    def to_val(self, pixels: Tensor) -> Tensor:
        """The batch unchanged."""
        return self._normalize(to_unit(pixels))


class FeatureInputs:
    """float16 (N, D) to standardised float32 (N, D); features are augmented where they are computed."""

    def __init__(self, mean: list[float], std: list[float], device: torch.device) -> None:
        self._mean, self._std = (torch.tensor(values, device=device) for values in (mean, std))

    def to_train(self, features: Tensor, epoch: int, step: int, rows: slice) -> Tensor:
        """The same as for validation."""
        return self.to_val(features[rows])

    def to_val(self, features: Tensor) -> Tensor:
        """Mean 0 and deviation 1 over the training features."""
        return (features.float() - self._mean) / self._std


def class_weights(counts: list[int], kind: str, device: torch.device) -> Tensor | None:
    """Weights of the loss: `balanced` gives every class the same say, N / (classes * count); `none` gives None."""
    if kind == "none":
        return None
    held = torch.tensor(counts, dtype=torch.float32, device=device).clamp(min=1)
    return held.sum() / (len(counts) * held)
