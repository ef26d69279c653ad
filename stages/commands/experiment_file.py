"""An experiment as a file, and the models that it compares: every combination of its axes' levels."""

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from pydantic import Field, ValidationError

from stages.commands.preset import merge
from stages.params import problems
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


class Experiment(Strict):
    """What a file of experiments/ says."""

    about: str
    base: Name
    set: Annotated[Values, Field(default_factory=dict)]
    params: Annotated[Values, Field(default_factory=dict)]
    vary: Annotated[dict[Name, dict[Name, Values]], Field(min_length=1)]
    seeds: Annotated[list[int], Field(min_length=1)]
    figure: Figure

    @property
    def shown(self) -> list[str]:
        """The figures drawn, keys of `metrics.json` or `train.json`."""
        return [self.figure.y] if isinstance(self.figure.y, str) else self.figure.y


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
    model: Values


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


def with_variants(name: str, experiment: Experiment, params: Values) -> tuple[Values, list[Variant]]:
    """The params under which an experiment runs, whose only models are its variants; and these.

    Args:
        name: of the experiment, which begins the variants' names.
        experiment: its file.
        params: of params.yaml; they stay as they are.

    Raises:
        Refusal: the base is no model, or the params are not valid; the message names the file.
    """
    file, changed = EXPERIMENTS / f"{name}.yaml", deepcopy(params)
    merge(changed, experiment.params)
    if experiment.base not in changed["models"]:
        raise Refusal(f"{file}: base is {experiment.base!r}; {did_you_mean(experiment.base, list(changed['models']))}")
    variants = list(_variants(name, experiment, changed["models"][experiment.base]))
    changed["models"] = {variant.name: variant.model for variant in variants}
    wrong = _problems(changed)
    if len(changed["models"]) < len(variants):
        wrong.append("vary: two combinations of levels have the same name; rename a level")
    if wrong:
        raise Refusal(f"{file} gives params that are not valid:\n  " + "\n  ".join(wrong))
    return changed, variants


def _variants(name: str, experiment: Experiment, base: Values) -> Iterator[Variant]:
    for levels in product(*experiment.vary.values()):
        chosen = dict(zip(experiment.vary, levels, strict=True))
        model = deepcopy(base)
        for values in (experiment.set, *(experiment.vary[axis][level] for axis, level in chosen.items())):
            for key, value in values.items():
                _set(model, key.split("."), value)
        yield Variant("-".join([name, *levels]), chosen, model)


def _set(section: Values, way: list[str], value: Any) -> None:
    """Set a key; the schema knows whether there is such a one."""
    for part in way[:-1]:
        section = section.setdefault(part, {})
    section[way[-1]] = deepcopy(value)


def _problems(params: Values) -> list[str]:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "params.yaml"
        file.write_text(json.dumps(params))  # which is YAML, too
        return problems(file)


def read_yaml(text: str) -> Any:
    """Plain values, as DVC reads them."""
    from ruamel.yaml import YAML

    return YAML(typ="safe", pure=True).load(text)
