"""Compute the mean and standard deviation of pixels exactly."""

from math import sqrt

import numpy as np

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.progress import progress_bar

_CHUNK_BYTES = 32 << 20


def channel_mean_std(images: np.ndarray) -> tuple[list[float], list[float]]:
    """Return the mean and standard deviation of each channel, on the scale 0 to 1.

    Sums are whole numbers until the last division, so the result does not depend on how they are split.
    A channel that is constant, such as blue in images without it, gets a deviation of 1.

    Args:
        images: uint8 (N, height, width, channels).

    Raises:
        DataError: all channels are constant, so that nothing can be learned from the images.
    """
    channels = images.shape[3]
    chunk_rows = max(1, _CHUNK_BYTES // images[0].nbytes)
    sums, squares = np.zeros(channels, np.uint64), np.zeros(channels, np.uint64)
    with progress_bar(len(images), "mean and std") as pbar:
        for start in range(0, len(images), chunk_rows):
            chunk = np.asarray(images[start : start + chunk_rows])
            sums += _sum_per_channel(chunk)
            squares += _sum_per_channel(np.multiply(chunk, chunk, dtype=np.uint16))  # 255 * 255 fits
            pbar.update(len(chunk))
    return _compute_mean_std(images.size // channels, [int(total) for total in sums], [int(total) for total in squares])


def _sum_per_channel(chunk: np.ndarray) -> np.ndarray:
    # summed over the images first, whole rows of memory at a time: several times as fast as over all axes at once
    return chunk.sum(axis=0, dtype=np.uint64).sum(axis=(0, 1))


def _compute_mean_std(count: int, sums: list[int], squares: list[int]) -> tuple[list[float], list[float]]:
    variances = [count * square - total * total for total, square in zip(sums, squares, strict=True)]
    if not any(variances):
        raise DataError("all pixels of the train split have one value: these images hold nothing to learn")
    scale = 255 * count
    return [total / scale for total in sums], [sqrt(variance) / scale or 1.0 for variance in variances]
