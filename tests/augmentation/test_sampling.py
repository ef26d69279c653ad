"""The draws: keyed, independent of each other, and distributed as the settings say."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.augmentation.sampling import AugmentParams, sample_params
from vision_pipeline.augmentation.transforms import TransformConfig

_ALL: dict[str, Any] = {
    "hflip": 0.5,
    "vflip": 0.25,
    "rot90": 0.1,
    "rotate": {"probability": 0.5, "degrees": [-10.0, 20.0]},
    "scale": {"probability": 0.5, "factor": [0.9, 1.1]},
    "translate": {"probability": 0.5, "right": [-2, 3], "up": [-1, 1], "whole_pixels": True},
    "noise": {"probability": 0.5, "std": [0.0, 0.1]},
    "fill": "zeros",
}
_FIELDS = ("rot90", "hflip", "vflip", "degrees", "factor", "right", "up", "std")


def _draw(images: int = 64, seed: int = 0, epoch: int = 0, step: int = 0, **steps: Any) -> AugmentParams:
    transforms = TransformConfig.model_validate(steps or _ALL)
    return sample_params(transforms, torch.arange(images), (4, 4, 1), seed=seed, epoch=epoch, step=step)


def _same(first: AugmentParams, second: AugmentParams) -> bool:
    return all(torch.equal(getattr(first, field), getattr(second, field)) for field in (*_FIELDS, "noise"))


def test_the_same_key_draws_the_same() -> None:
    assert _same(_draw(seed=3, epoch=2, step=1), _draw(seed=3, epoch=2, step=1))


@pytest.mark.parametrize("key", [{"seed": 1}, {"epoch": 1}, {"step": 1}, {"epoch": 11, "step": 1}])
def test_another_key_draws_anew(key: dict[str, int]) -> None:
    assert not _same(_draw(), _draw(**key))


def test_the_key_is_not_a_sum_or_a_concatenation() -> None:
    assert not _same(_draw(epoch=1, step=11), _draw(epoch=11, step=1))
    assert not _same(_draw(epoch=1, step=2), _draw(epoch=2, step=1))


def test_the_draws_of_a_key_stay_what_they_are() -> None:
    """A change here gives every augmented model other weights under the same seed."""
    drawn = _draw(images=4, seed=7, epoch=1, step=2)
    assert drawn.hflip.tolist() == [True, False, False, False]
    assert drawn.right.tolist() == [0.0, 0.0, 3.0, 0.0]
    assert drawn.degrees.tolist() == pytest.approx([0.0, 15.045407232763527, 7.491372115495807, 0.0], abs=1e-12)


def test_the_global_generator_is_neither_used_nor_moved() -> None:
    torch.manual_seed(1)
    first = _draw()
    before = torch.get_rng_state()
    torch.manual_seed(2)
    assert _same(first, _draw())
    torch.manual_seed(1)
    assert torch.equal(before, torch.get_rng_state())


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_place_in_the_batch_draws_the_same_whatever_the_batch_size(images: int, seed: int) -> None:
    few, many = _draw(images=images, seed=seed), _draw(images=50, seed=seed)
    for field in _FIELDS:
        assert torch.equal(getattr(few, field), getattr(many, field)[:images])


@pytest.mark.parametrize("step", ["hflip", "vflip", "rot90", "rotate", "scale", "translate", "noise"])
def test_switching_a_step_off_changes_no_other_draw(step: str) -> None:
    own = {"rotate": {"degrees"}, "scale": {"factor"}, "translate": {"right", "up"}, "noise": {"std"}}
    less = _draw(**{name: value for name, value in _ALL.items() if name != step})
    for field in set(_FIELDS) - own.get(step, {step}):
        assert torch.equal(getattr(less, field), getattr(_draw(), field))


def test_a_step_that_is_not_there_does_nothing() -> None:
    drawn = _draw(fill="zeros")
    assert not (drawn.rot90.any() or drawn.hflip.any() or drawn.vflip.any() or drawn.needs_resampling.any())
    assert (drawn.degrees == 0).all() and (drawn.factor == 1).all()
    assert (drawn.right == 0).all() and (drawn.up == 0).all() and (drawn.std == 0).all()
    assert drawn.noise.shape == (0, 1, 4, 4)


def test_probabilities_0_and_1_are_never_and_always() -> None:
    drawn = _draw(images=2000, hflip=1.0, vflip=0.0, rot90=1.0)
    assert drawn.hflip.all() and drawn.rot90.all() and not drawn.vflip.any()


def test_shares_are_the_probabilities() -> None:
    """20,000 draws: five standard deviations of a share are below 0.018."""
    drawn = _draw(images=20_000)
    shares = [drawn.hflip, drawn.vflip, drawn.rot90, drawn.degrees != 0, drawn.factor != 1, drawn.std > 0]
    assert [share.double().mean().item() for share in shares] == pytest.approx(
        [0.5, 0.25, 0.1, 0.5, 0.5, 0.5], abs=0.018
    )


def test_steps_are_drawn_independently_of_each_other() -> None:
    drawn = _draw(images=20_000)
    both = (drawn.hflip & (drawn.degrees != 0)).double().mean().item()
    assert both == pytest.approx(0.25, abs=0.016)


def test_ranges_are_kept_and_filled_evenly() -> None:
    drawn = _draw(images=20_000)
    degrees = drawn.degrees[drawn.degrees != 0]
    assert degrees.min() >= -10 and degrees.max() <= 20
    assert degrees.mean().item() == pytest.approx(5, abs=0.5)
    assert degrees.min() < -9.9 and degrees.max() > 19.9
    assert drawn.factor.min() >= 0.9 and drawn.factor.max() <= 1.1


def test_whole_pixels_include_both_ends_equally() -> None:
    translate = {"probability": 1.0, "right": [-2, 3], "up": [-0.5, 1.5], "whole_pixels": True}
    drawn = _draw(images=24_000, translate=translate)
    values, counts = drawn.right.unique(return_counts=True)
    assert values.tolist() == [-2, -1, 0, 1, 2, 3]
    assert counts.tolist() == pytest.approx([4000] * 6, abs=300)
    assert drawn.up.unique().tolist() == [0, 1]
    assert not drawn.needs_resampling.any()


def test_parts_of_a_pixel_are_resampled() -> None:
    translate = {"probability": 1.0, "right": [-2, 3], "up": [0, 0], "whole_pixels": False}
    drawn = _draw(images=100, translate=translate)
    assert drawn.needs_resampling.all()
    assert (drawn.up == 0).all()


def _flips(rows: torch.Tensor, epoch: int, step: int = 0, hflip: float = 0.5) -> torch.Tensor:
    steps = TransformConfig.model_validate({"hflip": hflip, "alternate_hflip": True})
    return sample_params(steps, rows, (4, 4, 1), seed=0, epoch=epoch, step=step).hflip


def test_alternating_flips_turn_every_image_from_epoch_to_epoch() -> None:
    rows = torch.arange(1000)
    assert torch.equal(_flips(rows, 1), ~_flips(rows, 2))
    assert torch.equal(_flips(rows, 1), _flips(rows, 3))
    assert 450 < int(_flips(rows, 1).sum()) < 550


@given(st.permutations(range(60)), st.integers(1, 9), st.integers(1, 99), st.integers(0, 99))
def test_alternating_flips_go_by_the_image_wherever_the_epoch_puts_it(
    order: list[int], epoch: int, size: int, step: int
) -> None:
    rows = torch.tensor(order)[:size]
    assert torch.equal(_flips(rows, epoch, step), _flips(torch.arange(60), epoch)[rows])
