"""Interpolated moves agree with their definition, and devices with each other."""

from math import cos, floor, radians, sin

import numpy as np
import pytest
import torch
from drawn_parameters import FILLS, drawn_as, random_pixels

from vision_pipeline.augmentation.policy import apply_params
from vision_pipeline.augmentation.sampling import AugmentParams


def _reference(image: np.ndarray, drawn: AugmentParams, fill: str) -> np.ndarray:
    """One image (H, W) on the scale 0 to 1, moved pixel by pixel in float64 from the definitions."""
    height, width = image.shape
    if drawn.hflip[0]:
        image = image[:, ::-1]
    if drawn.vflip[0]:
        image = image[::-1]
    angle, factor = radians(drawn.degrees.item()), drawn.factor.item()
    result = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            x = column - (width - 1) / 2 - drawn.right.item()
            y = (height - 1) / 2 - row - drawn.up.item()  # upwards
            back_x, back_y = x * cos(angle) + y * sin(angle), -x * sin(angle) + y * cos(angle)
            result[row, column] = _bilinear(
                image, (height - 1) / 2 - back_y / factor, back_x / factor + (width - 1) / 2, fill
            )
    return result


def _bilinear(image: np.ndarray, row: float, column: float, fill: str) -> float:
    top, left = floor(row), floor(column)
    total = 0.0
    for at_row, weight_row in ((top, top + 1 - row), (top + 1, row - top)):
        for at_column, weight_column in ((left, left + 1 - column), (left + 1, column - left)):
            total += weight_row * weight_column * _pixel(image, at_row, at_column, fill)
    return total


def _pixel(image: np.ndarray, row: int, column: int, fill: str) -> float:
    if fill == "zeros":
        inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
        return float(image[row, column]) if inside else 0.0
    padding = {"border": "edge", "reflection": "symmetric"}[fill]
    rows = np.pad(np.arange(image.shape[0]), 200, mode=padding)
    columns = np.pad(np.arange(image.shape[1]), 200, mode=padding)
    return float(image[rows[row + 200], columns[column + 200]])


_CASES = [
    {"degrees": 10.0},
    {"degrees": -137.5, "factor": 0.6},
    {"factor": 1.1},
    {"factor": 0.9, "right": 2.0, "up": -1.0},
    {"right": 0.5, "up": -1.25},
    {"degrees": 33.3, "factor": 1.2, "right": -3.7, "up": 2.2, "hflip": 1},
    {"degrees": -20.0, "factor": 0.4, "right": 9.0, "up": 8.5, "vflip": 1},
]


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("case", _CASES)
def test_sampling_agrees_with_the_definition_in_float64(case: dict[str, float], fill: str) -> None:
    pixels = random_pixels(1, 12, channels=1)[:, :, :10]
    drawn = drawn_as(1, **case)
    sampled = apply_params(pixels, drawn, fill)[0, 0].double().numpy()
    exact = _reference(pixels[0, :, :, 0].numpy() / 255, drawn, fill)
    assert np.abs(sampled - exact).max() < 1 / 255 / 20


@pytest.mark.gpu
@pytest.mark.parametrize("fill", FILLS)
def test_devices_agree_within_one_grey_value(fill: str) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    pixels = random_pixels(len(_CASES) + 2, 32)
    keys = {key for case in _CASES for key in case}
    neutral = {"factor": 1.0}
    values = {key: [float(case.get(key, neutral.get(key, 0))) for case in [*_CASES, {}, {}]] for key in keys}
    values |= {"rot90": [0.0] * len(_CASES) + [1.0, 0.0], "std": [0.0] * len(_CASES) + [0.0, 0.1]}
    drawn = drawn_as(len(pixels), noise=torch.randn(1, 3, 32, 32), **values)
    on_cpu, on_gpu = apply_params(pixels, drawn, fill), apply_params(pixels.cuda(), drawn, fill).cpu()
    assert (on_cpu - on_gpu).abs().max().item() <= 1 / 255
