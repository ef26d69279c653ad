"""Layers from stored pixels and symbols to a network's inputs, so that every export contains them."""

import numpy as np
import torch
from torch import Tensor, nn

_MIN_STREAM_LENGTH = 1000  # symbols; a stream's first ones lack their context, which hardly counts in so many


def uint8_to_float(pixels: Tensor) -> Tensor:
    """Convert uint8 (N, H, W, C) to float32 (N, C, H, W) on the scale 0 to 1, in channels_last layout."""
    return pixels.permute(0, 3, 1, 2).float() / 255


def float_to_uint8(images: Tensor) -> Tensor:
    """Return float (N, C, H, W) on the scale 0 to 1 as uint8 (N, H, W, C), each value rounded to the nearest."""
    return (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1)


def normalization_stats(kind: str, mean: list[float], std: list[float]) -> dict[str, list[float]]:
    """Return `mean` and `std` for `Normalize`.

    Args:
        kind: "standard" for the given statistics, "symmetric" for the range -1 to 1, "unit" for 0 to 1.
        mean: of the training images, per channel.
        std: of the training images, per channel.
    """
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
        # not saved with the weights, because a checkpoint has them among its hyperparameters
        self.register_buffer("mean", torch.tensor(mean).view(1, -1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, -1, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return the images normalised, in the same shape."""
        return (images - self.mean) / self.std


class PixelModel(nn.Module):
    """A network that takes stored pixels: uint8 (N, H, W, C) to logits (N, classes)."""

    def __init__(self, network: nn.Module, mean: list[float], std: list[float]) -> None:
        super().__init__()
        self.normalize = Normalize(mean, std)
        self.network = network

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits, float32."""
        return self.network(self.normalize(uint8_to_float(pixels))).float()


def split_into_streams(tokens: np.ndarray, fill: int = 0) -> np.ndarray:
    """Cut a text, whole numbers (L,), into N streams (N, T); the last one is padded at its end with `fill`.

    A network reads the streams in parallel, each from its zero state, which is N times as fast as one after the other.
    Their number depends on L alone, one for each 1,000 symbols, so that every reader cuts alike. The rows joined and
    cut off at L are the text again.
    """
    num_streams = max(1, len(tokens) // _MIN_STREAM_LENGTH)
    length = -(-len(tokens) // num_streams)
    padded = np.full(num_streams * length, fill, tokens.dtype)
    padded[: len(tokens)] = tokens
    return padded.reshape(num_streams, length)


class TokenModel(nn.Module):
    """A network that takes stored symbols: unsigned (N, T) to float32 logits, from its zero state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, symbols: Tensor) -> Tensor:
        """Return logits (N, T, classes) of a text, (N, classes) of sequences."""
        return self.network(symbols.long()).float()
