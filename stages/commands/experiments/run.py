"""Running an experiment's models by DVC, beside the workspace, and reading what came of them from git."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

from stages.commands.experiments.file import Values
from stages.commands.pipeline.beside import hydra, run_beside
from stages.commands.pipeline.lines import named
from stages.project.console import say
from stages.project.paths import model_report
from stages.tracking.git import file_of


def run_models(name: str, seed: int, params: Values, changed: Iterable[str], models: Sequence[str]) -> str:
    """Train and test `models` in a throw-away copy as the DVC experiment `name`; the commit that it ends in.

    Args:
        name: of the DVC experiment.
        seed: of params.yaml.
        params: the whole of them.
        changed: their sections that differ from the workspace's.
        models: all of `params["models"]` that are wanted.

    Raises:
        Refusal: as `run_beside`.
    """
    settings = [f"seed={seed}"]
    for section in changed:
        settings += [f"~{section}", f"+{section}={hydra(params[section])}"]
    return run_beside(name, settings, [f"evaluate@{model}" for model in models], lambda lines: _show(lines, models))


def _show(lines: Iterable[str], models: Sequence[str]) -> None:
    """What the stages say, and how many trainings and tests have been begun or taken from the cache."""
    begun: set[str] = set()
    for line in named(lines):
        begun |= set(re.findall(r"(?:train|evaluate)@[\w-]+", line))
        say(f"[{len(begun)}/{2 * len(models)}] {line}")


def figures(commit: str, model: str) -> dict[str, Any]:
    """What a model's reports say in a commit: `train.json` and `metrics.json`, and of its first layer.

    `first_layer_gradient` is the gradient's norm in the first layer that trains, before the first step; None where
    none was measured (L-BFGS).
    """
    train, metrics, layers = (
        file_of(commit, model_report(model) / file) for file in ("train.json", "metrics.json", "layers.csv")
    )
    first = next(csv.DictReader(layers.splitlines()), None)
    gradient = float(first["gradient_norm"]) if first else None
    return json.loads(train) | json.loads(metrics) | {"first_layer_gradient": gradient}
