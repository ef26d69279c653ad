"""An augmentation policy: read from `policy.json` and applied to batches of pixels on their device.

The order is: quarter turn, flips, geometry (scale about the centre, rotation about the centre, translation), noise.
Quarter turns, flips and translations by whole pixels only move pixels, so they are exact. Scale, rotation and shifts by
part of a pixel are composed into one affine map and sampled once, bilinearly. An image that is rotated or scaled takes
its flips and its translation into that map, also if it is shifted by whole pixels. Images that need no sampling, or no
noise, keep their exact values whatever else is in the batch. The fill outside the image is zeros, the border's pixels,
or the reflected image (the border's pixels twice), in both ways of moving alike.
"""

from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional as F

from vision_pipeline.augmentation.sampling import AugmentParams, sample_params
from vision_pipeline.augmentation.transforms import TransformConfig
from vision_pipeline.config.fields import StrictModel, format_problem
from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json
from vision_pipeline.runtime.device import to_device_async
from vision_pipeline.runtime.preprocessing import uint8_to_float

_ALL_ROWS = slice(None)


class AugmentationPolicy(StrictModel):
    """The content of `policy.json`.

    Attributes:
        name: of the policy.
        dataset: that it is for; None of the policy `none`, which fits all.
        steps: with their settings.
    """

    name: str
    dataset: str | None
    steps: TransformConfig

    @property
    def is_identity(self) -> bool:
        """True if `apply` changes no pixel."""
        return self.steps == TransformConfig()

    def apply(
        self, pixels: Tensor, indices: Tensor, *, seed: int, epoch: int, step: int, rows: slice = _ALL_ROWS
    ) -> Tensor:
        """Return augmented images of a batch; they are the same for the same key, on every device within 1/255.

        The parameters are drawn for the whole batch, so `rows` changes no image.

        Args:
            pixels: uint8 (N, H, W, C), on any device; not changed.
            indices: int64 (N,), on the CPU: the images' positions in their split.
            seed: `seed` of params.yaml.
            epoch, step: of the batch in the training.
            rows: the images of the batch to return.

        Returns:
            float32 (N, C, H, W) on the scale 0 to 1, in channels_last layout, on the same device.
        """
        if self.is_identity:
            return uint8_to_float(pixels[rows])
        _, height, width, channels = pixels.shape
        shape = (height, width, channels)
        params = sample_params(self.steps, indices, shape, seed=seed, epoch=epoch, step=step)
        return apply_params(pixels[rows], params.select(rows), self.steps.fill or "zeros")


def read_policy(path: Path) -> AugmentationPolicy:
    """Return the policy of a `policy.json`.

    Raises:
        ArtifactError: the file is missing, is not JSON, or holds something else; the message names it.
    """
    try:
        return AugmentationPolicy.model_validate(read_json(path))
    except ValidationError as error:
        problem = format_problem(error.errors()[0])
        raise ArtifactError(f"{path} is not a policy: {problem}; `dvc repro` makes it again") from error


def apply_params(pixels: Tensor, params: AugmentParams, fill: str) -> Tensor:
    """Return augmented images of a batch.

    Args:
        pixels: uint8 (N, H, W, C), not changed.
        params: parameters of the N images.
        fill: outside the image: "zeros", "border" or "reflection".

    Returns:
        float32 (N, C, H, W) on the scale 0 to 1, in channels_last layout, on the device of `pixels`.
    """
    rotated = _rot90(pixels, params.rot90)
    float_images = uint8_to_float(_flip_shift(rotated, params, fill))
    return _add_noise(_affine_sample(float_images, params, fill), params)


def _rot90(pixels: Tensor, rot90: Tensor) -> Tensor:
    """Turn some images by a quarter, clockwise."""
    if not rot90.any():
        return pixels
    if pixels.shape[1] != pixels.shape[2]:
        raise ValueError(f"quarter turns need square images, not {tuple(pixels.shape[1:3])}")
    rows = to_device_async(rot90.nonzero().squeeze(1), pixels.device)
    rotated = pixels.clone()
    rotated[rows] = pixels[rows].rot90(k=-1, dims=(1, 2))
    return rotated


def _flip_shift(pixels: Tensor, params: AugmentParams, fill: str) -> Tensor:
    """Flip and shift by whole pixels, in one gather, the images that are not resampled."""
    not_resampled = ~params.needs_resampling
    hflip, vflip = params.hflip & not_resampled, params.vflip & not_resampled
    right, down = params.right.where(not_resampled, 0.0).long(), -params.up.where(not_resampled, 0.0).long()
    if not (hflip.any() or vflip.any() or right.any() or down.any()):
        return pixels
    num_images, height, width, channels = pixels.shape
    rows, rows_inside = _compute_source_indices(height, down, vflip, fill)
    columns, columns_inside = _compute_source_indices(width, right, hflip, fill)
    image_starts = torch.arange(num_images)[:, None] * (height * width)
    row_starts, columns = (
        to_device_async(image_starts + rows * width, pixels.device),
        to_device_async(columns, pixels.device),
    )
    flat_indices = (row_starts[:, :, None] + columns[:, None, :]).view(-1)
    shifted = pixels.reshape(-1, channels).index_select(0, flat_indices).view(pixels.shape)
    if not (rows_inside.all() and columns_inside.all()):
        rows_inside, columns_inside = (
            to_device_async(rows_inside, pixels.device),
            to_device_async(columns_inside, pixels.device),
        )
        shifted *= rows_inside[:, :, None, None] & columns_inside[:, None, :, None]
    return shifted


def _compute_source_indices(size: int, shift: Tensor, is_flipped: Tensor, fill: str) -> tuple[Tensor, Tensor]:
    """Return for each position along one axis the position that its pixel comes from, int64 (N, size).

    The second tensor, bool (N, size), is False where the pixel is a zero from outside the image.
    """
    source_indices = torch.arange(size)[None, :] - shift[:, None]
    inside = ((source_indices >= 0) & (source_indices < size)) | (fill != "zeros")
    if fill == "reflection":
        source_indices = source_indices % (2 * size)
        source_indices = torch.where(source_indices < size, source_indices, 2 * size - 1 - source_indices)
    source_indices = source_indices.clamp(0, size - 1)
    return torch.where(is_flipped[:, None], size - 1 - source_indices, source_indices), inside


def _affine_sample(float_images: Tensor, params: AugmentParams, fill: str) -> Tensor:
    """Flip, scale, rotate and translate in one bilinear sampling; `float_images` may be written to."""
    rows = params.needs_resampling.nonzero().squeeze(1)
    if len(rows) == 0:
        return float_images
    all_rows = len(rows) == len(float_images)
    device_rows = to_device_async(rows, float_images.device)
    height, width = float_images.shape[2:]
    grid = _make_sampling_grid(
        to_device_async(_compute_inverse_affine(params, rows, height, width), float_images.device), height, width
    )
    sampled = F.grid_sample(
        float_images if all_rows else float_images[device_rows], grid, padding_mode=fill, align_corners=False
    )
    # the four weights sum to 1 but for rounding
    sampled = sampled.clamp_(0, 1).contiguous(memory_format=torch.channels_last)
    if all_rows:
        return sampled
    float_images[device_rows] = sampled
    return float_images


def _compute_inverse_affine(params: AugmentParams, rows: Tensor, height: int, width: int) -> Tensor:
    """Compute the map from a pixel's position in the new image to that of its source, float32 (n, 2, 3).

    Positions in the new image are in pixels from the centre, x to the right and y down; positions in the old one run
    from -1 to 1 (`grid_sample`, align_corners=False: the outer edges of the pixels). Forward, a position is flipped,
    scaled by f, turned by a, and shifted: x' = f (x cos a + y sin a) + right, y' = f (-x sin a + y cos a) - up. The
    result is the inverse of this.
    """
    angle, factor = torch.deg2rad(params.degrees[rows]), params.factor[rows]
    right, up = params.right[rows], params.up[rows]
    cos, sin = angle.cos() / factor, angle.sin() / factor
    x = torch.stack([cos, -sin, -right * cos - up * sin], 1) * (2 / width)
    y = torch.stack([sin, cos, -right * sin + up * cos], 1) * (2 / height)
    x[params.hflip[rows]] *= -1
    y[params.vflip[rows]] *= -1
    return torch.stack([x, y], 1).float()


def _make_sampling_grid(affine: Tensor, height: int, width: int) -> Tensor:
    """Compute the sampling position of each pixel of the new images, float32 (n, H, W, 2).

    It is computed as a sum, because autocast or TF32 would round a matrix product to a few bits.
    """
    x = torch.arange(width, device=affine.device) - (width - 1) / 2
    y = torch.arange(height, device=affine.device) - (height - 1) / 2
    along_x = x[None, None, :, None] * affine[:, None, None, :, 0]
    along_y = y[None, :, None, None] * affine[:, None, None, :, 1] + affine[:, None, None, :, 2]
    return along_x + along_y


def _add_noise(float_images: Tensor, params: AugmentParams) -> Tensor:
    """Add Gaussian noise to the images that get any, and clamp to 0 and 1; `float_images` may be written to."""
    rows = (params.std > 0).nonzero().squeeze(1)
    if len(rows) == 0:
        return float_images
    noise = params.noise * params.std[rows].float()[:, None, None, None]
    device_rows = to_device_async(rows, float_images.device)
    float_images[device_rows] = (float_images[device_rows] + to_device_async(noise, float_images.device)).clamp_(0, 1)
    return float_images
