"""The models that an experiment compares: every combination of its axes' levels."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from itertools import product
from typing import Any

from stages.commands.experiments.file import EXPERIMENTS, Experiment, Values
from stages.commands.preset import merge
from stages.params.fields import did_you_mean
from stages.params.load import problems_in, refuse_invalid
from stages.project.console import Refusal


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


def with_variants(name: str, experiment: Experiment, params: Values) -> tuple[Values, list[Variant]]:
    """The params under which an experiment runs, and its variants: the only models, but for the generators' graders.

    Args:
        name: of the experiment, which begins the variants' names.
        experiment: its file.
        params: of params.yaml; they stay as they are.

    Raises:
        Refusal: the base is no model, a variant that is reported on is none, or the params are not valid; the message
            names the file.
    """
    refuse_invalid(params)
    file, changed = EXPERIMENTS / f"{name}.yaml", deepcopy(params)
    merge(changed, experiment.params)
    if experiment.base not in changed["models"]:
        raise Refusal(f"{file}: base is {experiment.base!r}; {did_you_mean(experiment.base, list(changed['models']))}")
    variants = list(_variants(name, experiment, changed["models"][experiment.base]))
    graders = {generator["grader"] for generator in changed["generators"].values()}
    compared = {variant.name: variant.model for variant in variants}
    changed["models"] = {name: model for name, model in changed["models"].items() if name in graders} | compared
    wrong = problems_in(changed)
    levels = ["-".join(variant.levels.values()) for variant in variants]
    wrong += [
        f"reported.variant is {one.variant!r}; {did_you_mean(one.variant, levels)}"
        for one in experiment.reported
        if one.variant not in levels
    ]
    if len(compared) < len(variants):
        wrong.append("vary: two combinations of levels have the same name; rename a level")
    if wrong:
        raise Refusal(f"{file} is not valid:\n  " + "\n  ".join(wrong))
    return changed, variants


def _variants(name: str, experiment: Experiment, base: Values) -> Iterator[Variant]:
    for levels in product(*experiment.vary.values()):
        chosen = dict(zip(experiment.vary, levels, strict=True))
        model = deepcopy(base) | {"seeds": []}  # the experiment has its own
        for values in (experiment.set, *(experiment.vary[axis][level] for axis, level in chosen.items())):
            for key, value in values.items():
                set_key(model, key.split("."), value)
        yield Variant("-".join([name, *levels]), chosen, model)


def set_key(section: Values, way: list[str], value: Any) -> None:
    """Set a key; the schema knows whether there is such a one, and whether what it leads through is a section."""
    for part in way[:-1]:
        if not isinstance(section.get(part), dict):
            section[part] = {}
        section = section[part]
    section[way[-1]] = deepcopy(value)
