"""A sweep's file in sweeps/, and the values that it searches."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from vision_pipeline.cli.param_overrides import ParamDict, apply_overrides
from vision_pipeline.config.fields import Name, StrictModel, did_you_mean
from vision_pipeline.config.load import list_validation_errors_in, raise_if_invalid
from vision_pipeline.config.named_files import load_named
from vision_pipeline.core.errors import ConfigError

SWEEPS = Path("sweeps")  # NAME.yaml


class SearchDimension(StrictModel):
    """The values of one key: numbers from `low` to `high`, whole ones where both are whole, or `choices`."""

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
        """The choices, or the ends of the range."""
        return [self.low, self.high] if self.choices is None else self.choices


class PruneConfig(StrictModel):
    """The rule for ending a training early: its best epoch is worse than half of the finished trials were by then."""

    after_trials: Annotated[int, Field(ge=1, description="finished trials before the first is ended early")]
    after_epochs: Annotated[int, Field(ge=1, description="of a training before it may be ended")]


class SweepConfig(StrictModel):
    """The content of a file of sweeps/."""

    description: Annotated[str, Field(alias="about")]
    model: Name
    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    trials: Annotated[int, Field(ge=1, le=10_000)]
    seed: Annotated[int, Field(ge=0)]
    space: Annotated[dict[str, SearchDimension], Field(min_length=1)]
    prune: PruneConfig | None = None

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """The direction of better values of the metric."""
        return "minimize" if self.metric == "val_loss" else "maximize"


def read_sweep(name: str, params: ParamDict) -> SweepConfig:
    """Read a sweep, and validate its space with the model of params.yaml that it varies.

    Raises:
        ConfigError: params.yaml is not valid, there is no sweep of that name, its file is not valid, there is no such
            model, or the model cannot have a value of the space; the message names file and key.
    """
    raise_if_invalid(params)
    sweep, file = load_named(SWEEPS, name, SweepConfig), SWEEPS / f"{name}.yaml"
    if sweep.model not in params["models"]:
        raise ConfigError(f"{file}: model is {sweep.model!r}; {did_you_mean(sweep.model, list(params['models']))}")
    errors = _validate_space(sweep, params)
    if sweep.prune and params["models"][sweep.model]["train"]["optimizer"] == "lbfgs":
        errors.append(f"prune: {sweep.model} is trained by L-BFGS, which has no epochs; leave it out")
    if errors:
        raise ConfigError(f"{file} is not valid:\n  " + "\n  ".join(errors))
    return sweep


def _validate_space(sweep: SweepConfig, params: ParamDict) -> list[str]:
    """Return the errors of the space: each of its ends becomes a model, and all are validated together."""
    ends = [(key, value) for key, dimension in sweep.space.items() for value in dimension.ends]
    base = params["models"][sweep.model]
    models = {f"end-{i}": apply_overrides(base, {key: value}) for i, (key, value) in enumerate(ends)}
    graders = {generator["grader"] for generator in params["generators"].values()}
    grader_models = {name: model for name, model in params["models"].items() if name in graders}
    errors = list_validation_errors_in({**params, "models": grader_models | models})
    for i, (key, _) in reversed(list(enumerate(ends))):
        errors = [error.replace(f"models.end-{i}.", f"space.{key}: models.{sweep.model}.") for error in errors]
    return errors
