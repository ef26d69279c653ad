"""An experiment as a file of experiments/."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from vision_pipeline.cli.preset import deep_merge
from vision_pipeline.config.fields import Name, Seeds, StrictModel, did_you_mean
from vision_pipeline.config.load import list_validation_errors_in, raise_if_invalid
from vision_pipeline.config.named_files import load_named
from vision_pipeline.core.dicts import set_nested
from vision_pipeline.core.errors import UserError

EXPERIMENTS = Path("experiments")  # NAME.yaml

ParamDict = dict[str, Any]  # by dotted key of a model: `train.epochs`


class FigureConfig(StrictModel):
    """What is drawn: a line for each level of `lines`, or points alone."""

    x: Name
    y: str | list[str]
    lines: Name | None = None


class PublishedResult(StrictModel):
    """A figure that somebody has published, and the variant (its levels, joined by "-") that is held against it."""

    variant: str
    figure: str
    value: float
    source: str


class ExperimentConfig(StrictModel):
    """What a file of experiments/ says."""

    description: Annotated[str, Field(alias="about")]
    base: Name
    set: Annotated[ParamDict, Field(default_factory=dict)]
    params: Annotated[ParamDict, Field(default_factory=dict)]
    vary: Annotated[dict[Name, dict[Name, ParamDict]], Field(min_length=1)]
    seeds: Annotated[Seeds, Field(min_length=1)]
    figure: FigureConfig
    reported: Annotated[list[PublishedResult], Field(default_factory=list)]

    @property
    def plotted_metrics(self) -> list[str]:
        """The figures drawn, keys of `metrics.json` or `train.json`."""
        return [self.figure.y] if isinstance(self.figure.y, str) else self.figure.y


def read_experiment(name: str) -> ExperimentConfig:
    """Read an experiment.

    Raises:
        UserError: there is none of that name, or the file does not say what it must; the message names file and key.
    """
    experiment = load_named(EXPERIMENTS, name, ExperimentConfig)
    for key, axis in (("x", experiment.figure.x), ("lines", experiment.figure.lines)):
        if axis is not None and axis not in experiment.vary:
            hint = did_you_mean(axis, list(experiment.vary))
            raise UserError(f"{EXPERIMENTS / name}.yaml: figure.{key} is {axis!r}; {hint}")
    return experiment


# MERGED The models that an experiment compares: every combination of its axes' levels.
@dataclass(frozen=True)
class Variant:
    """One of the models compared.

    Attributes:
        name: under `models`.
        levels: by axis, the level that it stands for.
        model: its entry under `models`.
    """

    name: str
    levels: dict[str, str]
    model: ParamDict


def expand_variants(name: str, experiment: ExperimentConfig, params: ParamDict) -> tuple[ParamDict, list[Variant]]:
    """The params under which an experiment runs, and its variants: the only models, but for the generators' graders.

    Args:
        name: of the experiment, which begins the variants' names.
        experiment: its file.
        params: of params.yaml; they stay as they are.

    Raises:
        UserError: the base is no model, a variant that is reported on is none, or the params are not valid; the message
            names the file.
    """
    raise_if_invalid(params)
    file, expanded = EXPERIMENTS / f"{name}.yaml", deepcopy(params)
    deep_merge(expanded, experiment.params)
    if experiment.base not in expanded["models"]:
        raise UserError(
            f"{file}: base is {experiment.base!r}; {did_you_mean(experiment.base, list(expanded['models']))}"
        )
    variants = list(_generate_variants(name, experiment, expanded["models"][experiment.base]))
    graders = {generator["grader"] for generator in expanded["generators"].values()}
    compared_models = {variant.name: variant.model for variant in variants}
    expanded["models"] = {
        name: model for name, model in expanded["models"].items() if name in graders
    } | compared_models
    errors = list_validation_errors_in(expanded)
    levels = ["-".join(variant.levels.values()) for variant in variants]
    errors += [
        f"reported.variant is {published.variant!r}; {did_you_mean(published.variant, levels)}"
        for published in experiment.reported
        if published.variant not in levels
    ]
    if len(compared_models) < len(variants):
        errors.append("vary: two combinations of levels have the same name; rename a level")
    if errors:
        raise UserError(f"{file} is not valid:\n  " + "\n  ".join(errors))
    return expanded, variants


def _generate_variants(name: str, experiment: ExperimentConfig, base: ParamDict) -> Iterator[Variant]:
    for levels in product(*experiment.vary.values()):
        level_by_axis = dict(zip(experiment.vary, levels, strict=True))
        model = deepcopy(base) | {"seeds": []}  # the experiment has its own
        for values in (experiment.set, *(experiment.vary[axis][level] for axis, level in level_by_axis.items())):
            for key, value in values.items():
                set_nested(model, key.split("."), value)
        yield Variant("-".join([name, *levels]), level_by_axis, model)
