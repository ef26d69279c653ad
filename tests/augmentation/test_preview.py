"""The preview sheet: which images it shows, what it says, and that it shows what training sees."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from vision_pipeline.augmentation.policy import AugmentationPolicy
from vision_pipeline.augmentation.preview import describe_policy, pick_per_class, render_preview
from vision_pipeline.augmentation.transforms import TransformConfig

_NAMES = ["ant", "bee"]


def _policy(**steps: Any) -> AugmentationPolicy:
    return AugmentationPolicy.model_validate({"name": "p", "dataset": "d", "steps": steps})


def _images(channels: int = 3) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (4, 8, 8, channels), dtype=np.uint8)
    return images, np.array([1, 0, 0, 1])


def test_the_first_image_of_each_class_then_the_second() -> None:
    targets = np.array([2, 2, 0, 2, 1, 0, 2])
    assert pick_per_class(targets, 3) == [2, 4, 0]
    assert pick_per_class(targets, 4) == [2, 5, 4, 0]
    assert pick_per_class(targets, 5) == [2, 5, 4, 0, 1]
    assert pick_per_class(targets, 99) == [2, 5, 4, 0, 1, 3, 6]
    assert pick_per_class(np.array([5]), 8) == [0]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_same_bytes_again(channels: int) -> None:
    images, targets = _images(channels)
    content = render_preview(_policy(hflip=0.5), images, targets, _NAMES, seed=0)
    assert content == render_preview(_policy(hflip=0.5), images, targets, _NAMES, seed=0)
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "PNG" and not {"Software", "Creation Time"} & set(picture.info)


def test_it_shows_what_training_sees(monkeypatch: pytest.MonkeyPatch) -> None:
    images, targets = _images()
    keys: list[tuple[int, int, int]] = []
    real = AugmentationPolicy.apply

    def apply(
        self: AugmentationPolicy, pixels: torch.Tensor, rows: torch.Tensor, *, seed: int, epoch: int, step: int
    ) -> torch.Tensor:
        keys.append((seed, epoch, step))
        assert torch.equal(pixels, torch.from_numpy(images[rows]))
        assert rows.tolist() == [1, 2, 0, 3]
        return real(self, pixels, rows, seed=seed, epoch=epoch, step=step)

    monkeypatch.setattr(AugmentationPolicy, "apply", apply)
    render_preview(_policy(vflip=0.5), images, targets, _NAMES, seed=7)
    assert keys == [(7, 1, 0), (7, 2, 0), (7, 3, 0), (7, 4, 0)]


def test_an_image_that_is_always_flipped_stands_flipped_below_its_original() -> None:
    left_white = np.zeros((1, 8, 8, 1), np.uint8)
    left_white[:, :, :4] = 255
    content = render_preview(_policy(hflip=1.0), left_white, np.array([0]), _NAMES, seed=0)
    picture = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
    column = picture[:, 120:220]  # within the only column of images
    dark_on_the_right = (column[:, :20].mean(1) > 200) & (column[:, -20:].mean(1) < 50)
    dark_on_the_left = (column[:, :20].mean(1) < 50) & (column[:, -20:].mean(1) > 200)
    assert dark_on_the_right.sum() == pytest.approx(144, abs=6)
    assert dark_on_the_left.sum() == pytest.approx(4 * 144, abs=24)
    assert np.flatnonzero(dark_on_the_right).max() < np.flatnonzero(dark_on_the_left).min()


def test_the_settings_in_words() -> None:
    steps = TransformConfig.model_validate(
        {
            "hflip": 0.5,
            "rotate": {"probability": 1.0, "degrees": [-10.0, 10.0]},
            "scale": {"probability": 0.25, "factor": [0.9, 1.1]},
            "translate": {"probability": 1.0, "right": [-2, 2], "up": [0, 1], "whole_pixels": True},
            "noise": {"probability": 0.2, "std": [0.0, 0.05]},
            "style": {"probability": 0.5, "strength": [0.5, 1.0], "backbone": "vgg", "pictures": "styles.yaml"},
            "fill": "zeros",
        }
    )
    assert describe_policy(steps) == (
        "flip left-right (in 50%); rotate -10° to 10°; scale ×0.9 to 1.1 (in 25%); "
        "shift right -2 to 2 px, up 0 to 1 px; noise of std 0 to 0.05 (in 20%); "
        "another look, at 0.5 to 1 of its strength (in 50%); outside: zeros"
    )
    assert describe_policy(TransformConfig()) == "changes nothing"
    assert describe_policy(TransformConfig(hflip=0.5, alternate_hflip=True)) == "flip left-right every other epoch"
