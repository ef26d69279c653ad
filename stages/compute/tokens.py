"""Symbols on their way into a network: a stored text as streams that are read at once, stored numbers as indices."""

import numpy as np
from torch import Tensor, nn

_SYMBOLS = 1000  # of a stream, at least: what its first ones lack of the text before them is then hardly felt


def in_streams(symbols: np.ndarray, fill: int = 0) -> np.ndarray:
    """A text, whole numbers (L,), as (N, T): N pieces one below the other, the last filled up at its end.

    A network reads the pieces side by side, each from its zero state, which is N times as fast as one after the
    other. Their number depends on L alone, one for each 1,000 symbols, so that every reader means the same.
    Row after row and cut off at L they are the text again.
    """
    streams = max(1, len(symbols) // _SYMBOLS)
    length = -(-len(symbols) // streams)
    padded = np.full(streams * length, fill, symbols.dtype)
    padded[: len(symbols)] = symbols
    return padded.reshape(streams, length)


class FromTokens(nn.Module):
    """A network that takes stored symbols: unsigned (N, T) to float32 logits, from its zero state."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, symbols: Tensor) -> Tensor:
        """Logits (N, T, classes) of a text, (N, classes) of sequences."""
        return self.network(symbols.long()).float()
