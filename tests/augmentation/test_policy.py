"""The policy as training uses it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from vision_pipeline.augmentation.policy import AugmentationPolicy, read_policy
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.runtime.preprocessing import uint8_to_float

_MIXED: dict[str, Any] = {
    "hflip": 0.5,
    "rotate": {"probability": 0.5, "degrees": [-30.0, 30.0]},
    "scale": {"probability": 0.5, "factor": [0.9, 1.2]},
    "translate": {"probability": 0.5, "right": [-3, 3], "up": [-3, 3], "whole_pixels": True},
    "noise": {"probability": 0.2, "std": [0.0, 0.05]},
    "fill": "reflection",
}


_ROWS = torch.arange(16)
_KEY = {"seed": 0, "epoch": 1, "step": 2}


def _policy(**steps: Any) -> AugmentationPolicy:
    return AugmentationPolicy.model_validate({"name": "p", "dataset": "d", "steps": steps})


def _images(count: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 12, 12, 3), dtype=torch.uint8, generator=generator)


def test_the_identity_is_the_pixels_on_the_unit_scale() -> None:
    policy = _policy()
    assert policy.is_identity
    assert torch.equal(policy.apply(_images(), _ROWS, **_KEY), uint8_to_float(_images()))
    assert not _policy(hflip=0.5).is_identity


def test_the_committed_policy_none_is_the_identity(repository: Path) -> None:
    policy = read_policy(repository / "data" / "augmented" / "none" / "policy.json")
    assert (policy.name, policy.dataset, policy.is_identity) == ("none", None, True)


def test_the_same_key_gives_the_same_images_and_another_gives_others() -> None:
    policy = _policy(**_MIXED)
    first = policy.apply(_images(), _ROWS, **_KEY)
    assert torch.equal(policy.apply(_images(), _ROWS, **_KEY), first)
    for change in ({"seed": 1}, {"epoch": 2}, {"step": 3}):
        assert not torch.equal(policy.apply(_images(), _ROWS, **_KEY | change), first)


def test_threads_change_nothing() -> None:
    policy, before = _policy(**_MIXED), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = policy.apply(_images(), _ROWS, **_KEY)
        torch.set_num_threads(2)
        assert torch.equal(policy.apply(_images(), _ROWS, **_KEY), alone)
    finally:
        torch.set_num_threads(before)


def test_autocast_changes_nothing() -> None:
    policy = _policy(**_MIXED)
    with torch.autocast("cpu", torch.bfloat16):
        within = policy.apply(_images(), _ROWS, **_KEY)
    assert torch.equal(within, policy.apply(_images(), _ROWS, **_KEY))


def test_what_an_image_becomes_depends_on_its_place_and_not_on_its_neighbours() -> None:
    policy, images = _policy(**{name: value for name, value in _MIXED.items() if name != "noise"}), _images()
    others = images.flip(0)
    others[5] = images[5]
    assert torch.equal(policy.apply(images, _ROWS, **_KEY)[5], policy.apply(others, _ROWS, **_KEY)[5])


@given(st.integers(0, 16), st.integers(0, 16))
def test_some_rows_of_a_batch_are_as_in_the_whole(first: int, last: int) -> None:
    policy, rows = _policy(**_MIXED), slice(min(first, last), max(first, last) + 1)
    assert torch.equal(policy.apply(_images(), _ROWS, **_KEY, rows=rows), policy.apply(_images(), _ROWS, **_KEY)[rows])


def test_a_smaller_last_batch_is_the_start_of_a_full_one() -> None:
    policy = _policy(**{name: value for name, value in _MIXED.items() if name != "noise"})
    assert torch.equal(policy.apply(_images()[:7], _ROWS[:7], **_KEY), policy.apply(_images(), _ROWS, **_KEY)[:7])


@given(st.integers(0, 2**32 - 1), st.integers(1, 1000), st.integers(0, 10**6))
@settings(max_examples=25)
def test_images_stay_on_the_scale_0_to_1(seed: int, epoch: int, step: int) -> None:
    result = _policy(**{**_MIXED, "noise": {"probability": 0.5, "std": [0.0, 1.0]}}).apply(
        _images(4), _ROWS[:4], seed=seed, epoch=epoch, step=step
    )
    assert result.min() >= 0 and result.max() <= 1 and result.isfinite().all()


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    write_json(tmp_path / "policy.json", {"name": "p", "dataset": "d", "steps": _MIXED})
    assert read_policy(tmp_path / "policy.json") == _policy(**_MIXED)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ({"name": "p", "dataset": "d"}, "steps"),
        ({"name": "p", "dataset": "d", "steps": {"blur": 1.0}}, "blur"),
        ({"name": "p", "dataset": "d", "steps": {"hflip": 2.0}}, "steps.hflip"),
        ({"name": "p", "dataset": "d", "steps": {"rotate": {"probability": 1.0}}}, "steps.rotate.degrees"),
        ([], "a list, not an object"),
    ],
)
def test_a_file_that_is_no_policy_is_refused_by_name(content: object, named: str, tmp_path: Path) -> None:
    write_json(tmp_path / "policy.json", content)
    with pytest.raises(UserError, match=f"policy.json is not (a policy|valid).*{named}"):
        read_policy(tmp_path / "policy.json")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"policy\.json is missing"):
        read_policy(tmp_path / "policy.json")


@pytest.mark.gpu
def test_devices_agree_within_one_grey_value() -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    policy = _policy(**{**_MIXED, "noise": {"probability": 0.5, "std": [0.0, 0.1]}, "rot90": 0.3})
    on_gpu = policy.apply(_images().cuda(), _ROWS, **_KEY).cpu()
    assert (policy.apply(_images(), _ROWS, **_KEY) - on_gpu).abs().max().item() <= 1 / 255
