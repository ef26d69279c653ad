"""Fast style transfer: a few steps on the pixels of a batch, from an image that has the style's colours already.

The moments of the shallow layers are matched (see `statistics.py`) while the deepest of them keeps the content. No
decoder is trained for it, as AdaIN's is, so any picture is a style at once. Steps, rate and weights were chosen by eye,
on photos at 128 x 128.
"""

from collections.abc import Callable, Iterable

import numpy as np
import torch
from torch import Tensor

from stages.compute.pixels import to_unit
from stages.styling.statistics import Moments, moments, recoloured, together

_STEPS, _RATE = 8, 0.04  # of Adam, on the scale 0 to 1
_CONTENT, _SMOOTH = 0.5, 6.0  # weights beside that of each layer's moments, 1
_LEAST = 1e-3  # strength, for nothing may be divided by 0: it moves no pixel by a grey value
_SMALLEST = 1e-6  # of a content's mean square: of a black image it can be 0
_AT_ONCE = 8  # images; their activations then stay in a CPU's cache

Layers = Callable[[Tensor], list[Tensor]]


class Transfer:
    """Puts looks onto images; `count` is the number of style pictures."""

    def __init__(self, layers: Layers, pictures: Iterable[np.ndarray], device: torch.device) -> None:
        """Measure the style pictures once.

        Args:
            layers: float (N, 3, H, W) on the scale 0 to 1 to activations of layers, the shallowest first.
            pictures: uint8 (H, W, 3) each.
            device: of the network.
        """
        self._layers, self._device = layers, device
        measured = [self._look(to_unit(torch.from_numpy(np.array(picture[None])).to(device))) for picture in pictures]
        self._looks = [together(parts) for parts in zip(*measured, strict=True)]
        self.count = len(measured)

    def __call__(self, pixels: Tensor, pictures: Tensor, strength: Tensor) -> Tensor:
        """Images in another look.

        Args:
            pixels: uint8 (N, H, W, 3).
            pictures: int64 (N,), which style picture each gets.
            strength: float (N,), 0 (its own look) to 1 (the picture's).

        Returns:
            uint8 (N, H, W, 3), on the same device.
        """
        styled = torch.empty_like(pixels)
        for start in range(0, len(pixels), _AT_ONCE):
            rows = slice(start, start + _AT_ONCE)
            looks = [look.of(pictures[rows].to(self._device)) for look in self._looks]
            unit = self._styled(to_unit(pixels[rows].to(self._device)), looks, strength[rows].float().to(self._device))
            styled[rows] = (unit * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return styled

    @torch.no_grad()
    def _look(self, unit: Tensor) -> list[Moments]:
        """Of the colours, then of each layer."""
        return [moments(values) for values in (unit, *self._layers(unit))]

    def _styled(self, unit: Tensor, looks: list[Moments], strength: Tensor) -> Tensor:
        """Adam's steps are as long for a small loss as for a large one, so the strength shortens them, too."""
        colours, *wanted = [own.towards(look, strength) for own, look in zip(self._look(unit), looks, strict=True)]
        with torch.no_grad():
            content = self._layers(unit)[-1]
        share = strength.clamp(min=_LEAST)[:, None, None, None]
        start = recoloured(unit, colours)
        change = torch.zeros_like(start, requires_grad=True)
        adam = torch.optim.Adam([change], lr=_RATE, betas=(0.9, 0.99))
        for _ in range(_STEPS):
            adam.zero_grad()
            image = start + share * change
            _loss(image, self._layers(image), wanted, content).backward()
            adam.step()
            with torch.no_grad():  # the image stays between 0 and 1
                change.clamp_(-start / share, (1 - start) / share)
        return (start + share * change.detach()).clamp(0, 1)


def _loss(image: Tensor, layers: list[Tensor], wanted: list[Moments], content: Tensor) -> Tensor:
    """The sum over images of three terms, so that each image is on its own: style, content, smoothness."""
    style = sum((moments(values).distance(look) for values, look in zip(layers, wanted, strict=True)), torch.zeros(()))
    kept = (layers[-1] - content).square().mean((1, 2, 3)) / (content.square().mean((1, 2, 3)) + _SMALLEST)
    rough = image.diff(dim=2).square().mean((1, 2, 3)) + image.diff(dim=3).square().mean((1, 2, 3))
    return (style + _CONTENT * kept + _SMOOTH * rough).sum()
