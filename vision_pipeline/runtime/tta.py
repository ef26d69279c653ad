"""Test-time augmentation: average a network's outputs for an image and for its slightly moved copies.

Source: Jordan, arXiv 2404.00498, section 3.5: the image, and copies shifted by a pixel along the diagonal at half
its weight, each with its mirror image.
"""

import torch
from torch import Tensor, nn


class TTAModel(nn.Module):
    """A network from pixels whose logits are averaged over views of each image."""

    def __init__(self, network: nn.Module, views: str) -> None:
        """Wrap `network`; `views` is "mirror", "shift" or "mirror-shift"."""
        super().__init__()
        self.network = network
        self._mirror, self._shift = "mirror" in views, "shift" in views

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the logits (N, classes) of uint8 (N, H, W, C)."""
        if not self._shift:
            return self._average_mirrored(pixels)
        shifted_forth, shifted_back = (self._average_mirrored(shift_images(pixels, step)) for step in (1, -1))
        return self._average_mirrored(pixels) / 2 + (shifted_forth + shifted_back) / 4

    def _average_mirrored(self, pixels: Tensor) -> Tensor:
        logits: Tensor = self.network(pixels)
        return (logits + self.network(pixels.flip(2))) / 2 if self._mirror else logits


def shift_images(pixels: Tensor, step: int) -> Tensor:
    """Move images (N, H, W, C) right and down by `step` pixels; the image reflected at its edge comes in."""
    _, height, width, _ = pixels.shape
    rows, columns = (
        _reflect_indices(torch.arange(size, device=pixels.device) - step, size) for size in (height, width)
    )
    return pixels[:, rows][:, :, columns]


def _reflect_indices(indices: Tensor, size: int) -> Tensor:
    """Return indices outside 0 .. size - 1 mirrored at the outermost pixels."""
    last = size - 1
    return last - (last - indices.abs()).abs()
