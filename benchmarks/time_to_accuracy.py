"""Seconds to a test accuracy: from a cold process to the metric, and of its training alone, over several seeds.

On the prepared images of the pipeline (`dvc repro prepare@mnist prepare@cifar10` makes them), split as there: a part
of train is held out, the weights of the best epoch by validation are kept, and the test set is used once, at the end.
"""

import argparse
from statistics import mean
from typing import Any

from benchmarks.common import machine_of, model_of
from benchmarks.one_training import views_of
from benchmarks.timing import fresh
from stages.datasets.format import SPLITS, open_set
from stages.project.console import Refusal, say
from stages.project.door import run_or_refuse
from stages.project.paths import DATA

Outcomes = list[dict[str, Any]]


def measure(name: str, changes: list[str], seeds: int, goal: float | None) -> Outcomes:
    """Train in a process of its own for each seed; what came of each, printed too, with its `cold` seconds."""
    found = []
    for seed in range(seeds):
        one, cold = fresh("benchmarks.one_training", name, str(seed), *changes)
        found.append(one | {"cold": cold})
        reached = f"; {when(one['epochs'], goal)}" if goal else ""
        say(f"  seed {seed}: {one['accuracy']:.2%}, {cold:.1f} s, {one['seconds']:.1f} s of it training{reached}")
    return found


def when(epochs: list[list[float]], goal: float) -> str:
    """After which epoch the validation accuracy first was `goal` or more; `epochs` of accuracy and seconds."""
    for number, (accuracy, seconds) in enumerate(epochs, 1):
        if accuracy >= goal:
            return f"validation reached {goal:.2%} after epoch {number} of {len(epochs)}, {seconds:.1f} s of training"
    return f"validation never reached {goal:.2%}, at best {max(accuracy for accuracy, _ in epochs):.2%}"


def interval(values: list[float]) -> str:
    """Mean and 95 % interval, by Student's t, of two or more values."""
    from scipy.stats import sem, t  # a second, which the cold process must not spend

    middle, half = mean(values), float(sem(values) * t.ppf(0.975, len(values) - 1))
    return f"{middle:.2f} (95 % interval {middle - half:.2f} to {middle + half:.2f})"


def describe(name: str, model: Any) -> None:
    """Print what is measured; a model of features, or missing images, are refused."""
    data = open_set(DATA / model.inputs)
    if data.about.kind != "images":
        raise Refusal(f"{name} takes {model.inputs}; this measures models of images, from prepared/<data set>")
    about = data.about.provenance
    origin = f"{about['status']} images{about['note'] and ': ' + about['note']}"
    counts = ", ".join(f"{split} {len(data.targets(split)):,}" for split in SPLITS)
    say(f"{name} on {model.dataset} ({origin}; {counts}); test averaged over views: {views_of(model) or 'no'}")


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="mnist-speednet", help="of params.yaml")
    parser.add_argument("--seeds", type=int, default=3, help="trainings, with seeds from 0; 2 or more")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as train.epochs=4")
    parser.add_argument("--goal", type=float, help="a validation accuracy, 0 to 1; says when it was reached")
    asked = parser.parse_args()
    model = model_of(asked.model, asked.set)
    if asked.seeds < 2:
        raise Refusal(f"--seeds is {asked.seeds}; an interval needs 2 or more")
    machine_of(asked.model, model)
    describe(asked.model, model)
    found = measure(asked.model, asked.set, asked.seeds, asked.goal)
    say(f"test accuracy: {interval([100 * one['accuracy'] for one in found])} %")
    say(f"cold process to metric: {interval([one['cold'] for one in found])} s")
    say(f"training alone: {interval([one['seconds'] for one in found])} s")
    say(f"the whole takes {mean(one['cold'] / one['seconds'] for one in found):.2f} times its training")


if __name__ == "__main__":
    run_or_refuse(main)
