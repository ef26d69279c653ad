"""From a stored batch to what the network takes."""

from collections.abc import Callable

import torch
from torch import Tensor

from stages.compute.pixels import Normalize, to_unit
from stages.training.batches import Batch

Augment = Callable[[Tensor, Tensor, int, int, int, slice], Tensor]


class ImageInputs:
    """uint8 (N, H, W, C) to normalised float32 (N, C, H, W); augmented for training, as stored for validation.

    Args:
        augment: pixels, their rows, seed, epoch, step and which are wanted to float32 (N, C, H, W), 0 to 1.
        mean, std: per channel, on the scale 0 to 1.
        seed: of the augmentation.
        device: of the batches.
    """

    def __init__(self, augment: Augment, mean: list[float], std: list[float], seed: int, device: torch.device) -> None:
        self._augment, self._seed = augment, seed
        self._normalize = Normalize(mean, std).to(device)

    def to_train(self, batch: Batch, wanted: slice) -> Tensor:
        """Those of a batch's inputs that are wanted, as training sees them."""
        place = self._seed, batch.epoch, batch.step
        return self._normalize(self._augment(batch.inputs, batch.rows, *place, wanted))

    def to_val(self, pixels: Tensor) -> Tensor:
        """The batch unchanged."""
        return self._normalize(to_unit(pixels))


class FeatureInputs:
    """float16 (N, D) to standardised float32 (N, D); features are augmented where they are computed."""

    def __init__(self, mean: list[float], std: list[float], device: torch.device) -> None:
        self._mean, self._std = (torch.tensor(values, device=device) for values in (mean, std))

    def to_train(self, batch: Batch, wanted: slice) -> Tensor:
        """The same as for validation."""
        return self.to_val(batch.inputs[wanted])

    def to_val(self, features: Tensor) -> Tensor:
        """Mean 0 and deviation 1 over the training features."""
        return (features.float() - self._mean) / self._std


class SymbolInputs:
    """Stored symbols to int64; the network makes vectors of them."""

    def to_train(self, batch: Batch, wanted: slice) -> Tensor:
        """The same as for validation; a text is never shared among ranks, so that `wanted` is all of it."""
        return self.to_val(batch.inputs[wanted])

    def to_val(self, symbols: Tensor) -> Tensor:
        """Their numbers."""
        return symbols.long()


def inputs_of(
    kind: str, augment: Augment, scale: dict[str, list[float]], seed: int, device: torch.device
) -> ImageInputs | FeatureInputs | SymbolInputs:
    """What becomes of a set's inputs, by its kind (see `datasets/format.py`); `scale` is their `mean` and `std`."""
    if kind in ("text", "sequences"):
        return SymbolInputs()
    if kind == "images":
        return ImageInputs(augment, **scale, seed=seed, device=device)
    return FeatureInputs(**scale, device=device)


def class_weights(counts: list[int], kind: str, device: torch.device) -> Tensor | None:
    """Weights of the loss: `balanced` gives every class the same say, N / (classes * count); `none` gives None."""
    if kind == "none":
        return None
    held = torch.tensor(counts, dtype=torch.float32, device=device).clamp(min=1)
    return held.sum() / (len(counts) * held)
