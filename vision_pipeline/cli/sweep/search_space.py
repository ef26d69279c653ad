"""A sweep as a file of sweeps/, and the values that it searches."""

from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vision_pipeline.config.fields import Name, StrictModel, did_you_mean
from vision_pipeline.config.load import list_validation_errors_in, raise_if_invalid
from vision_pipeline.config.named_files import load_named
from vision_pipeline.core.dicts import set_nested
from vision_pipeline.core.errors import UserError

SWEEPS = Path("sweeps")  # NAME.yaml

ParamDict = dict[str, Any]  # by dotted key of a model: `train.lr`


class SearchDimension(StrictModel):
    """What one key may be: a number from `low` to `high`, a whole one where both are whole, or one of `choices`."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: Annotated[list[Any] | None, Field(min_length=2)] = None

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if self.choices is not None and (self.low, self.high, self.log) == (None, None, False):
            return self
        if self.choices is not None or self.low is None or self.high is None:
            raise PydanticCustomError("kind", "say `low` and `high` (and `log: true`), or `choices`")
        if self.low >= self.high or (self.log and self.low <= 0):
            raise PydanticCustomError("range", "`low` must be below `high`, and above 0 with `log: true`")
        return self

    @property
    def ends(self) -> list[Any]:
        """The choices, or the range's ends."""
        return [self.low, self.high] if self.choices is None else self.choices


class PruneConfig(StrictModel):
    """A training ends early where its best epoch so far is worse than half of the finished trials were by then."""

    after_trials: Annotated[int, Field(ge=1, description="finished trials before the first is ended early")]
    after_epochs: Annotated[int, Field(ge=1, description="of a training before it may be ended")]


class SweepConfig(StrictModel):
    """What a file of sweeps/ says."""

    description: Annotated[str, Field(alias="about")]
    model: Name
    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    trials: Annotated[int, Field(ge=1, le=10_000)]
    seed: Annotated[int, Field(ge=0)]
    space: Annotated[dict[str, SearchDimension], Field(min_length=1)]
    prune: PruneConfig | None = None

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Where the better values of the metric lie."""
        return "minimize" if self.metric == "val_loss" else "maximize"


def read_sweep(name: str, params: ParamDict) -> SweepConfig:
    """Read a sweep, and hold it against params.yaml, whose model it varies.

    Raises:
        UserError: params.yaml is not valid, there is no sweep of that name, its file does not say what it must, there is
            no such model, or an end of the space is nothing that the model can be; the message names file and key.
    """
    raise_if_invalid(params)
    sweep, file = load_named(SWEEPS, name, SweepConfig), SWEEPS / f"{name}.yaml"
    if sweep.model not in params["models"]:
        raise UserError(f"{file}: model is {sweep.model!r}; {did_you_mean(sweep.model, list(params['models']))}")
    errors = _validate_space(sweep, params)
    if sweep.prune and params["models"][sweep.model]["train"]["optimizer"] == "lbfgs":
        errors.append(f"prune: {sweep.model} is trained by L-BFGS, which has no epochs; leave it out")
    if errors:
        raise UserError(f"{file} is not valid:\n  " + "\n  ".join(errors))
    return sweep


def apply_overrides(model: ParamDict, overrides: ParamDict) -> ParamDict:
    """A copy of a model's entry with other values by dotted key."""
    updated = deepcopy(model)
    for key, value in overrides.items():
        set_nested(updated, key.split("."), value)
    return updated


def _validate_space(sweep: SweepConfig, params: ParamDict) -> list[str]:
    """What is wrong with the space: each end of it is a model, and all of them are validated at once."""
    ends = [(key, value) for key, dimension in sweep.space.items() for value in dimension.ends]
    base = params["models"][sweep.model]
    models = {f"end-{i}": apply_overrides(base, {key: value}) for i, (key, value) in enumerate(ends)}
    graders = {generator["grader"] for generator in params["generators"].values()}
    grader_models = {name: model for name, model in params["models"].items() if name in graders}
    errors = list_validation_errors_in({**params, "models": grader_models | models})
    for i, (key, _) in reversed(list(enumerate(ends))):
        errors = [error.replace(f"models.end-{i}.", f"space.{key}: models.{sweep.model}.") for error in errors]
    return errors
