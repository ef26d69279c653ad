"""What was drawn for a batch, done to its pixels on their device.

In this order: quarter turn, flips, geometry (scale about the centre, rotation about the centre,
translation), noise. Quarter turns, flips and translations by whole pixels only move pixels: they are
exact. Scale, rotation and shifts by part of a pixel are composed into one affine map and sampled
once, bilinearly; an image that is rotated or scaled takes its flips and its translation into that
map, also when it is shifted by whole pixels. Images that need no sampling, or no noise, keep their
exact values whatever else is in the batch. Outside the image lie zeros, the border's pixels, or the
reflected image (the border's pixels twice), in both ways of moving alike.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from stages.augmentation.draw import Drawn
from stages.compute.pixels import to_unit
from stages.compute.sending import sent


def augment(pixels: Tensor, drawn: Drawn, fill: str) -> Tensor:
    """Augmented images of a batch.

    Args:
        pixels: uint8 (N, H, W, C), left unchanged.
        drawn: parameters of the N images.
        fill: "zeros", "border" or "reflection": what lies outside the image.

    Returns:
        float32 (N, C, H, W) on the scale 0 to 1, in channels_last layout, on the device of `pixels`.
    """
    turned = _turned(pixels, drawn.rot90)
    unit = to_unit(_moved(turned, drawn, fill))
    return _noisy(_resampled(unit, drawn, fill), drawn)


def _turned(pixels: Tensor, rot90: Tensor) -> Tensor:
    """Quarter turns clockwise."""
    if not rot90.any():
        return pixels
    if pixels.shape[1] != pixels.shape[2]:
        raise ValueError(f"quarter turns need square images, not {tuple(pixels.shape[1:3])}")
    rows = sent(rot90.nonzero().squeeze(1), pixels.device)
    turned = pixels.clone()
    turned[rows] = pixels[rows].rot90(k=-1, dims=(1, 2))
    return turned


def _moved(pixels: Tensor, drawn: Drawn, fill: str) -> Tensor:
    """Flips and shifts by whole pixels, in one gather, of the images that are not resampled."""
    exact = ~drawn.resampled
    hflip, vflip = drawn.hflip & exact, drawn.vflip & exact
    right, down = drawn.right.where(exact, 0.0).long(), -drawn.up.where(exact, 0.0).long()
    if not (hflip.any() or vflip.any() or right.any() or down.any()):
        return pixels
    images, height, width, channels = pixels.shape
    rows, rows_inside = _sources(height, down, vflip, fill)
    columns, columns_inside = _sources(width, right, hflip, fill)
    first = torch.arange(images)[:, None] * (height * width)
    starts, columns = sent(first + rows * width, pixels.device), sent(columns, pixels.device)
    flat = (starts[:, :, None] + columns[:, None, :]).view(-1)
    moved = pixels.reshape(-1, channels).index_select(0, flat).view(pixels.shape)
    if not (rows_inside.all() and columns_inside.all()):
        rows_inside, columns_inside = sent(rows_inside, pixels.device), sent(columns_inside, pixels.device)
        moved *= rows_inside[:, :, None, None] & columns_inside[:, None, :, None]
    return moved


def _sources(size: int, shift: Tensor, flipped: Tensor, fill: str) -> tuple[Tensor, Tensor]:
    """For each place along one axis, the place that its pixel comes from: int64 (N, size).

    The second tensor, bool (N, size), is False where zeros come from outside the image.
    """
    sources = torch.arange(size)[None, :] - shift[:, None]
    inside = ((sources >= 0) & (sources < size)) | (fill != "zeros")
    if fill == "reflection":
        sources = sources % (2 * size)
        sources = torch.where(sources < size, sources, 2 * size - 1 - sources)
    sources = sources.clamp(0, size - 1)
    return torch.where(flipped[:, None], size - 1 - sources, sources), inside


def _resampled(unit: Tensor, drawn: Drawn, fill: str) -> Tensor:
    """Flips, scale, rotation and translation in one bilinear sampling; `unit` may be written to."""
    rows = drawn.resampled.nonzero().squeeze(1)
    if len(rows) == 0:
        return unit
    everything = len(rows) == len(unit)
    there = sent(rows, unit.device)
    height, width = unit.shape[2:]
    grid = _grid(sent(_affine(drawn, rows, height, width), unit.device), height, width)
    sampled = F.grid_sample(unit if everything else unit[there], grid, padding_mode=fill, align_corners=False)
    # the four weights sum to 1 but for rounding
    sampled = sampled.clamp_(0, 1).contiguous(memory_format=torch.channels_last)
    if everything:
        return sampled
    unit[there] = sampled
    return unit


def _affine(drawn: Drawn, rows: Tensor, height: int, width: int) -> Tensor:
    """From a pixel's place in the new image to the place its value comes from, float32 (n, 2, 3).

    Places in the new image are in pixels from the centre, x to the right and y down; places in the
    old one run from -1 to 1 (`grid_sample`, align_corners=False: the outer edges of the pixels).
    Forward, a place is flipped, scaled by f, turned by a, and shifted:
    x' = f (x cos a + y sin a) + right, y' = f (-x sin a + y cos a) - up. This is its inverse.
    """
    angle, factor = torch.deg2rad(drawn.degrees[rows]), drawn.factor[rows]
    right, up = drawn.right[rows], drawn.up[rows]
    cos, sin = angle.cos() / factor, angle.sin() / factor
    x = torch.stack([cos, -sin, -right * cos - up * sin], 1) * (2 / width)
    y = torch.stack([sin, cos, -right * sin + up * cos], 1) * (2 / height)
    x[drawn.hflip[rows]] *= -1
    y[drawn.vflip[rows]] *= -1
    return torch.stack([x, y], 1).float()


def _grid(affine: Tensor, height: int, width: int) -> Tensor:
    """Where each pixel of the new images is sampled, float32 (n, H, W, 2).

    Sums and not a matrix product, which autocast or TF32 would round to a few bits.
    """
    x = torch.arange(width, device=affine.device) - (width - 1) / 2
    y = torch.arange(height, device=affine.device) - (height - 1) / 2
    along_x = x[None, None, :, None] * affine[:, None, None, :, 0]
    along_y = y[None, :, None, None] * affine[:, None, None, :, 1] + affine[:, None, None, :, 2]
    return along_x + along_y


def _noisy(unit: Tensor, drawn: Drawn) -> Tensor:
    """Gaussian noise on the images that get any, clamped to 0 and 1; `unit` may be written to."""
    rows = (drawn.std > 0).nonzero().squeeze(1)
    if len(rows) == 0:
        return unit
    noise = drawn.noise * drawn.std[rows].float()[:, None, None, None]
    there = sent(rows, unit.device)
    unit[there] = (unit[there] + sent(noise, unit.device)).clamp_(0, 1)
    return unit
