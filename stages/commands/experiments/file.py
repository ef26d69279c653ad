"""An experiment as a file of experiments/."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from stages.params.fields import Name, Seeds, Strict, did_you_mean
from stages.params.named_files import read_named
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
    seeds: Annotated[Seeds, Field(min_length=1)]
    figure: Figure
    reported: Annotated[list[Reported], Field(default_factory=list)]

    @property
    def shown(self) -> list[str]:
        """The figures drawn, keys of `metrics.json` or `train.json`."""
        return [self.figure.y] if isinstance(self.figure.y, str) else self.figure.y


def read_experiment(name: str) -> Experiment:
    """Read an experiment.

    Raises:
        Refusal: there is none of that name, or the file does not say what it must; the message names file and key.
    """
    experiment = read_named(EXPERIMENTS, name, Experiment)
    for key, axis in (("x", experiment.figure.x), ("lines", experiment.figure.lines)):
        if axis is not None and axis not in experiment.vary:
            hint = did_you_mean(axis, list(experiment.vary))
            raise Refusal(f"{EXPERIMENTS / name}.yaml: figure.{key} is {axis!r}; {hint}")
    return experiment
