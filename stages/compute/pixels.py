"""From stored pixels to a network's floats, as a layer, so that every export carries it inside."""

import torch
from torch import Tensor, nn


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 (N, H, W, C) to float32 (N, C, H, W) on the scale 0 to 1, in channels_last layout."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def normalization(kind: str, mean: list[float], std: list[float]) -> dict[str, list[float]]:
    """`mean` and `std` for `Normalize`: train's own for "standard"; "symmetric" gives -1..1, "unit" leaves 0..1."""
    if kind == "symmetric":
        mean, std = [0.5] * len(mean), [0.5] * len(std)
    if kind == "unit":
        mean, std = [0.0] * len(mean), [1.0] * len(std)
    return {"mean": mean, "std": std}


class Normalize(nn.Module):
    """`(x - mean) / std` per channel of float (N, C, H, W) on the scale 0 to 1."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: list[float], std: list[float]) -> None:
        super().__init__()
        # not saved with the weights: a checkpoint names them among its hyperparameters
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, unit: Tensor) -> Tensor:
        """Same shape, normalised."""
        return (unit - self.mean) / self.std


class FromPixels(nn.Module):
    """A network that takes stored pixels: uint8 (N, H, W, C) to logits (N, classes)."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.normalize = Normalize(mean, std)
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Logits, float32."""
        return self.network(self.normalize(to_unit(pixels))).float()
