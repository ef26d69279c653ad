"""An experiment's file in experiments/, and the models that it compares: every combination of its axes' levels."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Annotated

from pydantic import Field

from vision_pipeline.cli.param_overrides import ParamDict, apply_overrides, deep_merge
from vision_pipeline.config.fields import Name, Seeds, StrictModel, did_you_mean
from vision_pipeline.config.load import list_validation_errors_in, raise_if_invalid
from vision_pipeline.config.named_files import load_named
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.core.logging import logger

EXPERIMENTS = Path("experiments")  # NAME.yaml


class FigureConfig(StrictModel):
    """The axes of an experiment's figure: a line for each level of `lines`, or points alone."""

    x: Name
    y: str | list[str]
    lines: Name | None = None


class PublishedResult(StrictModel):
    """A published value, and the variant (its levels, joined by "-") that is compared with it."""

    variant: str
    figure: str
    value: float
    source: str


class ExperimentConfig(StrictModel):
    """The content of a file of experiments/."""

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
        """The metrics in the figure, keys of `metrics.json` or `train.json`."""
        return [self.figure.y] if isinstance(self.figure.y, str) else self.figure.y


@dataclass(frozen=True)
class Variant:
    """One of the models compared.

    Attributes:
        name: its key under `models`.
        levels: its level on each axis.
        model: its entry under `models`.
    """

    name: str
    levels: dict[str, str]
    model: ParamDict


def read_experiment(name: str) -> ExperimentConfig:
    """Read an experiment.

    Raises:
        ConfigError: there is none of that name, or its file is not valid; the message names file and key.
    """
    experiment = load_named(EXPERIMENTS, name, ExperimentConfig)
    for key, axis in (("x", experiment.figure.x), ("lines", experiment.figure.lines)):
        if axis is not None and axis not in experiment.vary:
            hint = did_you_mean(axis, list(experiment.vary))
            raise ConfigError(f"{EXPERIMENTS / name}.yaml: figure.{key} is {axis!r}; {hint}")
    return experiment


def expand_variants(name: str, experiment: ExperimentConfig, params: ParamDict) -> tuple[ParamDict, list[Variant]]:
    """Return the params under which an experiment runs, and its variants.

    The variants are the only models of these params, except for the graders of generators.

    Args:
        name: name of the experiment, with which the variants' names begin.
        experiment: its file.
        params: all sections of params.yaml; left unchanged.

    Raises:
        ConfigError: the base is no model, a published result names no variant, or the params are not valid; the message
            names the file.
    """
    raise_if_invalid(params)
    file, expanded = EXPERIMENTS / f"{name}.yaml", deepcopy(params)
    deep_merge(expanded, experiment.params)
    if experiment.base not in expanded["models"]:
        hint = did_you_mean(experiment.base, list(expanded["models"]))
        raise ConfigError(f"{file}: base is {experiment.base!r}; {hint}")
    variants = list(_generate_variants(name, experiment, expanded["models"][experiment.base]))
    graders = {generator["grader"] for generator in expanded["generators"].values()}
    kept_models = {name: model for name, model in expanded["models"].items() if name in graders}
    compared_models = {variant.name: variant.model for variant in variants}
    expanded["models"] = kept_models | compared_models
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
        raise ConfigError(f"{file} is not valid:\n  " + "\n  ".join(errors))
    logger.debug(f"{name}: compares {', '.join(compared_models)}")
    return expanded, variants


def _generate_variants(name: str, experiment: ExperimentConfig, base: ParamDict) -> Iterator[Variant]:
    for levels in product(*experiment.vary.values()):
        level_by_axis = dict(zip(experiment.vary, levels, strict=True))
        axis_values = (experiment.vary[axis][level] for axis, level in level_by_axis.items())
        model = apply_overrides(base | {"seeds": []}, experiment.set, *axis_values)  # the experiment has its own seeds
        yield Variant("-".join([name, *levels]), level_by_axis, model)
