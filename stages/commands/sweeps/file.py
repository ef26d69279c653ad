"""A sweep as a file of sweeps/, and the values that it searches."""

from copy import deepcopy
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from stages.commands.experiments.variants import set_key
from stages.params.fields import Name, Strict, did_you_mean
from stages.params.load import problems_in, refuse_invalid
from stages.params.named_files import read_named
from stages.project.console import Refusal

SWEEPS = Path("sweeps")  # NAME.yaml

Values = dict[str, Any]  # by dotted key of a model: `train.lr`


class Dimension(Strict):
    """What one key may be: a number from `low` to `high`, a whole one where both are whole, or one of `choices`."""

    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: Annotated[list[Any] | None, Field(min_length=2)] = None

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
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


class Prune(Strict):
    """A training ends early where its best epoch so far is worse than half of the finished trials were by then."""

    after_trials: Annotated[int, Field(ge=1, description="finished trials before the first is ended early")]
    after_epochs: Annotated[int, Field(ge=1, description="of a training before it may be ended")]


class Sweep(Strict):
    """What a file of sweeps/ says."""

    about: str
    model: Name
    metric: Literal["val_accuracy", "val_loss"] = "val_accuracy"
    trials: Annotated[int, Field(ge=1, le=10_000)]
    seed: Annotated[int, Field(ge=0)]
    space: Annotated[dict[str, Dimension], Field(min_length=1)]
    prune: Prune | None = None

    @property
    def direction(self) -> Literal["maximize", "minimize"]:
        """Where the better values of the metric lie."""
        return "minimize" if self.metric == "val_loss" else "maximize"


def read_sweep(name: str, params: Values) -> Sweep:
    """Read a sweep, and hold it against params.yaml, whose model it varies.

    Raises:
        Refusal: params.yaml is not valid, there is no sweep of that name, its file does not say what it must, there is
            no such model, or an end of the space is nothing that the model can be; the message names file and key.
    """
    refuse_invalid(params)
    sweep, file = read_named(SWEEPS, name, Sweep), SWEEPS / f"{name}.yaml"
    if sweep.model not in params["models"]:
        raise Refusal(f"{file}: model is {sweep.model!r}; {did_you_mean(sweep.model, list(params['models']))}")
    wrong = _wrong_ends(sweep, params)
    if sweep.prune and params["models"][sweep.model]["train"]["optimizer"] == "lbfgs":
        wrong.append(f"prune: {sweep.model} is trained by L-BFGS, which has no epochs; leave it out")
    if wrong:
        raise Refusal(f"{file} is not valid:\n  " + "\n  ".join(wrong))
    return sweep


def with_values(model: Values, values: Values) -> Values:
    """A copy of a model's entry with other values by dotted key."""
    changed = deepcopy(model)
    for key, value in values.items():
        set_key(changed, key.split("."), value)
    return changed


def _wrong_ends(sweep: Sweep, params: Values) -> list[str]:
    """What is wrong with the space: each end of it is a model, and all of them are validated at once."""
    ends = [(key, value) for key, dimension in sweep.space.items() for value in dimension.ends]
    base = params["models"][sweep.model]
    models = {f"end-{i}": with_values(base, {key: value}) for i, (key, value) in enumerate(ends)}
    graders = {generator["grader"] for generator in params["generators"].values()}
    kept = {name: model for name, model in params["models"].items() if name in graders}
    said = problems_in({**params, "models": kept | models})
    for i, (key, _) in reversed(list(enumerate(ends))):
        said = [one.replace(f"models.end-{i}.", f"space.{key}: models.{sweep.model}.") for one in said]
    return said
