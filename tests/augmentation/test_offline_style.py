"""The images that get another style: keyed, in the configured share, and independent of all other draws."""

from typing import Any

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from vision_pipeline.augmentation.offline import StyleAugmentation, sample_style
from vision_pipeline.config.data import StyleConfig

_KEY = {"seed": 0, "epoch": 1, "step": 0}


def _style(**changes: Any) -> StyleConfig:
    settings = {"probability": 0.5, "strength": [0.25, 0.75], "backbone": "lite0", "pictures": "styles.yaml"}
    return StyleConfig.model_validate(settings | changes)


def test_the_same_key_draws_the_same_and_another_draws_another() -> None:
    key = {"seed": 1, "epoch": 2, "step": 3}
    first = sample_style(_style(), 50, 64, **key)
    again = sample_style(_style(), 50, 64, **key)
    assert all(torch.equal(vars(first)[name], vars(again)[name]) for name in vars(first))
    for change in ({"seed": 2}, {"epoch": 3}, {"step": 4}):
        assert not torch.equal(sample_style(_style(), 50, 64, **key | change).picture, first.picture)


def test_shares_are_as_asked() -> None:
    drawn = sample_style(_style(probability=0.3), 20_000, 4, **_KEY)
    assert abs(drawn.styled.double().mean() - 0.3) < 0.015
    assert (torch.bincount(drawn.picture, minlength=4) / 20_000 - 0.25).abs().max() < 0.015
    assert drawn.strength.min() >= 0.25 and drawn.strength.max() <= 0.75
    assert abs(drawn.strength.mean() - 0.5) < 0.01


@given(st.integers(1, 40), st.integers(1, 40))
def test_an_images_look_does_not_depend_on_the_size_of_its_batch(images: int, more: int) -> None:
    some, all_of_them = (sample_style(_style(), count, 9, **_KEY) for count in (images, images + more))
    assert torch.equal(some.picture, all_of_them.picture[:images])
    assert torch.equal(some.strength, all_of_them.strength[:images])


def test_only_the_drawn_images_go_through_the_transfer() -> None:
    calls: list[tuple[Tensor, Tensor, Tensor]] = []

    def transfer(pixels: Tensor, pictures: Tensor, strength: Tensor) -> Tensor:
        calls.append((pixels, pictures, strength))
        return 255 - pixels

    pixels = torch.randint(0, 256, (30, 4, 4, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    before, drawn = pixels.clone(), sample_style(_style(), 30, 7, **_KEY)
    restyled = StyleAugmentation(_style(), transfer, 7)(pixels, **_KEY)
    rows = drawn.styled
    assert torch.equal(pixels, before) and 0 < rows.sum() < 30
    assert torch.equal(restyled[rows], 255 - pixels[rows]) and torch.equal(restyled[~rows], pixels[~rows])
    (given_pixels, pictures, strength), *more = calls
    assert not more and torch.equal(given_pixels, pixels[rows])
    assert torch.equal(pictures, drawn.picture[rows]) and torch.equal(strength, drawn.strength[rows])
    never = StyleAugmentation(_style(probability=0.0), transfer, 7)
    assert torch.equal(never(pixels, **_KEY), pixels) and len(calls) == 1
