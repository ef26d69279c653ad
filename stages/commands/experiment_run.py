"""Running an experiment's models by DVC, beside the workspace, and reading what came of them from git."""

import csv
import json
import re
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from stages.commands.dvc import command, environment
from stages.commands.experiment_file import Values
from stages.commands.repro import named
from stages.project.console import Refusal, say
from stages.project.paths import model_report


def run_models(name: str, seed: int, params: Values, changed: Iterable[str], models: Sequence[str]) -> str:
    """Train and test `models` in a throw-away copy as the DVC experiment `name`; the commit that it ends in.

    What DVC or the training's state knows already is not computed again.

    Args:
        name: of the DVC experiment; one of the same name and commit is replaced.
        seed: of params.yaml.
        params: the whole of them.
        changed: their sections that differ from the workspace's.
        models: all of `params["models"]` that are wanted.

    Raises:
        Refusal: a stage failed; what is done stays in DVC's cache.
    """
    settings = [f"seed={seed}"]
    for section in changed:
        settings += [f"~{section}", f"+{section}={hydra(params[section])}"]
    reference = _reference(name)
    if _git("for-each-ref", reference):
        _git("update-ref", "-d", reference)
    asked = ["exp", "run", "--temp", "--name", name, *(part for one in settings for part in ("--set-param", one))]
    process = subprocess.Popen(
        command(*asked, *(f"evaluate@{model}" for model in models)), env=environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
    )  # fmt: skip
    assert process.stdout is not None
    _show(process.stdout, models)
    if process.wait():
        raise Refusal(f"{name} failed, as said above; the same command goes on from there")
    return _git("rev-parse", reference).strip()


def hydra(value: Any) -> str:
    """A value in the grammar of `dvc exp run --set-param`: JSON, with keys that are not quoted."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{hydra(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(hydra, value)) + "]"
    return json.dumps(value)


def _show(lines: Iterable[str], models: Sequence[str]) -> None:
    """What the stages say, and how many trainings and tests have been begun or taken from the cache."""
    begun: set[str] = set()
    for line in named(lines):
        begun |= set(re.findall(r"(?:train|evaluate)@[\w-]+", line))
        say(f"[{len(begun)}/{2 * len(models)}] {line}")


def _reference(name: str) -> str:
    """Where git keeps the DVC experiment `name` of the present commit."""
    head = _git("rev-parse", "HEAD").strip()
    return f"refs/exps/{head[:2]}/{head[2:]}/{name}"


def figures(commit: str, model: str) -> dict[str, Any]:
    """What a model's reports say in a commit: `train.json` and `metrics.json`, and of its first layer.

    `first_layer_gradient` is the gradient's norm in the first layer that trains, before the first step; None where
    none was measured (L-BFGS).
    """
    train, metrics, layers = (
        _git("show", f"{commit}:{(model_report(model) / file).as_posix()}")
        for file in ("train.json", "metrics.json", "layers.csv")
    )
    first = next(csv.DictReader(layers.splitlines()), None)
    gradient = float(first["gradient_norm"]) if first else None
    return json.loads(train) | json.loads(metrics) | {"first_layer_gradient": gradient}


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refusal(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout
