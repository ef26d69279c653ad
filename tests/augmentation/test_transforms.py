"""policy.json says what a policy does and nothing else, so that policies that act alike are alike."""

from typing import Any

import pytest

from vision_pipeline.augmentation.transforms import resolve_policy
from vision_pipeline.config.data import PolicyConfig
from vision_pipeline.config.load import load_params

_OFF: dict[str, Any] = {
    "dataset": "mnist",
    "hflip": 0.0,
    "alternate_hflip": False,
    "vflip": 0.0,
    "rot90": 0.0,
    "rotate": {"probability": 0.0, "degrees": [-10.0, 10.0]},
    "scale": {"probability": 0.0, "factor": [0.9, 1.1]},
    "translate": {"probability": 0.0, "right": [-2, 2], "up": [-2, 2], "whole_pixels": True},
    "noise": {"probability": 0.0, "std": [0.0, 0.1]},
    "style": {"probability": 0.0, "strength": [0.5, 1.0], "backbone": "none", "pictures": "styles.yaml"},
    "fill": "zeros",
    "views": 0,
}


def _resolved(**changes: Any) -> dict[str, Any]:
    return resolve_policy("p", PolicyConfig.model_validate({**_OFF, **changes}))["steps"]


def test_a_policy_with_everything_off_has_no_steps() -> None:
    assert resolve_policy("p", PolicyConfig.model_validate(_OFF)) == {"name": "p", "dataset": "mnist", "steps": {}}


@pytest.mark.parametrize(
    "changes",
    [
        {"fill": "reflection"},
        {"alternate_hflip": True},
        {"views": 3},
        {"rotate": {"probability": 0.0, "degrees": [-90.0, 90.0]}},
        {"rotate": {"probability": 1.0, "degrees": [0.0, 0.0]}},
        {"scale": {"probability": 1.0, "factor": [1.0, 1.0]}},
        {"translate": {"probability": 1.0, "right": [0, 0], "up": [0, 0], "whole_pixels": False}},
        {"noise": {"probability": 1.0, "std": [0.0, 0.0]}},
        {"style": {"probability": 1.0, "strength": [0.0, 0.0], "backbone": "vgg", "pictures": "styles.yaml"}},
    ],
)
def test_a_setting_without_effect_does_not_change_the_steps(changes: dict[str, Any]) -> None:
    assert _resolved(**changes) == {}


def test_a_step_keeps_its_settings() -> None:
    assert _resolved(hflip=0.5, noise={"probability": 0.2, "std": [0.0, 0.1]}) == {
        "hflip": 0.5,
        "noise": {"probability": 0.2, "std": [0.0, 0.1]},
    }


def test_a_style_stands_with_its_backbone_and_its_pictures() -> None:
    style = {"probability": 0.5, "strength": [0.0, 1.0], "backbone": "vgg", "pictures": "my_pictures"}
    assert _resolved(style=style, views=1) == {"style": style}


def test_flips_alternate_where_there_are_flips() -> None:
    assert _resolved(hflip=0.5, alternate_hflip=True) == {"hflip": 0.5, "alternate_hflip": True}
    assert _resolved(hflip=0.5) == {"hflip": 0.5}


def test_fill_stands_with_the_steps_that_move_pixels_in_from_outside() -> None:
    rotate = {"probability": 1.0, "degrees": [-10.0, 10.0]}
    assert _resolved(rotate=rotate, fill="border") == {"rotate": rotate, "fill": "border"}


def test_the_default_policies(monkeypatch: pytest.MonkeyPatch, repository: Any) -> None:
    monkeypatch.chdir(repository)
    (policies,) = load_params("policies")
    steps = {name: list(resolve_policy(name, policy)["steps"]) for name, policy in policies.items()}
    assert steps == {
        "mnist-shift": ["rotate", "scale", "translate", "fill"],
        "cifar10-flip-rotate": ["hflip", "rotate", "fill"],
        "cifar10-flip-shift": ["hflip", "alternate_hflip", "translate", "fill"],
        "cats_dogs-mixed": ["hflip", "rotate", "scale", "translate", "noise", "fill"],
    }
