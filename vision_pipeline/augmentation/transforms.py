"""The steps of a policy, resolved from `params.yaml` for `policy.json`."""

from collections.abc import Callable
from typing import Any, Literal

from vision_pipeline.config.data import (
    NoiseConfig,
    PolicyConfig,
    RotateConfig,
    ScaleConfig,
    StyleConfig,
    TranslateConfig,
)
from vision_pipeline.config.fields import Probability, StrictModel

_NEUTRAL_CHECKS: dict[str, Callable[[Any], bool]] = {
    "hflip": lambda probability: probability == 0,
    "vflip": lambda probability: probability == 0,
    "rot90": lambda probability: probability == 0,
    "rotate": lambda rotate: rotate.probability == 0 or rotate.degrees == [0, 0],
    "scale": lambda scale: scale.probability == 0 or scale.factor == [1, 1],
    "translate": lambda shift: shift.probability == 0 or shift.right == shift.up == [0, 0],
    "noise": lambda noise: noise.probability == 0 or noise.std == [0, 0],
    "style": lambda style: not style.applies,
}
_GEOMETRIC_STEPS = ("rotate", "scale", "translate")


class TransformConfig(StrictModel):
    """The settings of a policy's steps; None stands for a step that the policy does not have."""

    hflip: Probability | None = None
    alternate_hflip: Literal[True] | None = None
    vflip: Probability | None = None
    rot90: Probability | None = None
    rotate: RotateConfig | None = None
    scale: ScaleConfig | None = None
    translate: TranslateConfig | None = None
    noise: NoiseConfig | None = None
    style: StyleConfig | None = None
    fill: Literal["zeros", "border", "reflection"] | None = None


def resolve_policy(name: str, policy: PolicyConfig) -> dict[str, Any]:
    """Return the content of `policy.json`: name, data set and steps of a policy of `params.yaml`.

    Steps without effect (probability 0, or a range that changes nothing) are left out, so is `fill` if nothing moves,
    and `views`, which is no step. Policies that act alike have equal steps, so that a model is not trained again for a
    setting that is off.
    """
    steps = {
        step: getattr(policy, step)
        for step, is_neutral in _NEUTRAL_CHECKS.items()
        if not is_neutral(getattr(policy, step))
    }
    if policy.alternate_hflip and "hflip" in steps:
        steps["alternate_hflip"] = True
    if any(step in steps for step in _GEOMETRIC_STEPS):
        steps["fill"] = policy.fill
    return {"name": name, "dataset": policy.dataset, "steps": TransformConfig(**steps).model_dump(exclude_none=True)}
