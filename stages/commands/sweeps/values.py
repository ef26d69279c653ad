"""The values of a sweep's trial: chosen by Optuna, written for people."""

import json
from typing import Any

from optuna.distributions import CategoricalChoiceType
from optuna.trial import Trial

from stages.commands.sweeps.file import Dimension


def suggested(trial: Trial, key: str, dimension: Dimension) -> Any:
    """The value of a key in a trial. Optuna keeps a choice that is a list as its JSON."""
    low, high = dimension.low, dimension.high
    if dimension.choices is not None:
        choices: dict[CategoricalChoiceType, Any] = {_named(value): value for value in dimension.choices}
        return choices[trial.suggest_categorical(key, list(choices))]
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=dimension.log)
    assert low is not None and high is not None  # the file was read so
    return trial.suggest_float(key, low, high, log=dimension.log)


def _named(value: Any) -> CategoricalChoiceType:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)


def short(value: Any) -> str:
    """A value for people."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
