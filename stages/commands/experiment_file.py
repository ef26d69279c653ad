"""An experiment as a file of experiments/."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError

from stages.params.fields import Name, Strict, did_you_mean
from stages.params.load import parsed
from stages.project.console import Refusal

EXPERIMENTS = Path("experiments")  # NAME.yaml

Values = dict[str, Any]  # by dotted key of a model: `train.epochs`


class Figure(Strict):
    """What is drawn: a line for each level of `lines`, or points alone."""

    x: Name
    y: str | list[str]
    lines: Name | None = None


class Reported(Strict):
    """A figure that somebody has published, and the variant (its levels, joined by "-") that is held against it."""

    variant: str
    figure: str
    value: float
    source: str


class Experiment(Strict):
    """What a file of experiments/ says."""

    about: str
    base: Name
    set: Annotated[Values, Field(default_factory=dict)]
    params: Annotated[Values, Field(default_factory=dict)]
    vary: Annotated[dict[Name, dict[Name, Values]], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    figure: Figure
    reported: Annotated[list[Reported], Field(default_factory=list)]

    @property
    def shown(self) -> list[str]:
        """The figures drawn, keys of `metrics.json` or `train.json`."""
        return [self.figure.y] if isinstance(self.figure.y, str) else self.figure.y


def known() -> list[str]:
    """The experiments' names."""
    return sorted(file.stem for file in EXPERIMENTS.glob("*.yaml"))


def read_experiment(name: str) -> Experiment:
    """Read an experiment.

    Raises:
        Refusal: there is none of that name, or the file does not say what it must; the message names file and key.
    """
    if name not in (names := known()):
        raise Refusal(f"there is no {EXPERIMENTS / name}.yaml; {did_you_mean(name, names)}")
    file = EXPERIMENTS / f"{name}.yaml"
    try:
        experiment = Experiment.model_validate(parsed(file, read_yaml))
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc'])) or 'the file'}: {one['msg']}" for one in error.errors())
        raise Refusal(f"{file} is not valid:\n  " + "\n  ".join(lines)) from error
    for key, axis in (("x", experiment.figure.x), ("lines", experiment.figure.lines)):
        if axis is not None and axis not in experiment.vary:
            raise Refusal(f"{file}: figure.{key} is {axis!r}; {did_you_mean(axis, list(experiment.vary))}")
    return experiment


def read_yaml(text: str) -> Any:
    """Plain values, as DVC reads them."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)
