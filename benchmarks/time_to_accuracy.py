"""Seconds to a test accuracy: from a cold process to the metric, and of its training alone, over several seeds.

It takes the prepared images of the pipeline (`dvc repro prepare@mnist prepare@cifar10` makes them) and its splits: a
part of train is held out, the weights of the best epoch by validation are kept, and the test set is used once, at the
end.
"""

import argparse
from statistics import mean
from typing import Any

from benchmarks.common import load_model_config, setup_runtime_for
from benchmarks.one_training import load_tta_views
from benchmarks.timing import run_in_new_process
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.paths import DATA
from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.data.format import SPLITS, open_dataset

Outcomes = list[dict[str, Any]]


def train_per_seed(name: str, changes: list[str], seeds: int, goal: float | None) -> Outcomes:
    """Train in a process of its own for each seed; return and print the results, with the `cold` seconds of each."""
    outcomes = []
    for seed in range(seeds):
        outcome, cold = run_in_new_process("benchmarks.one_training", name, str(seed), *changes)
        outcomes.append(outcome | {"cold": cold})
        goal_text = f"; {describe_goal(outcome['epochs'], goal)}" if goal else ""
        training_text = f"{outcome['seconds']:.1f} s of it training{goal_text}"
        print(f"  seed {seed}: {outcome['accuracy']:.2%}, {cold:.1f} s, {training_text}", flush=True)
    return outcomes


def describe_goal(epochs: list[list[float]], goal: float) -> str:
    """Return after which of the epochs, accuracy and seconds each, the validation accuracy first reached `goal`."""
    for number, (accuracy, seconds) in enumerate(epochs, 1):
        if accuracy >= goal:
            return f"validation reached {goal:.2%} after epoch {number} of {len(epochs)}, {seconds:.1f} s of training"
    return f"validation never reached {goal:.2%}, at best {max(accuracy for accuracy, _ in epochs):.2%}"


def format_interval(values: list[float]) -> str:
    """Return the mean and the 95 % interval, by Student's t, of two or more values."""
    from scipy.stats import sem, t  # a second, which the cold process must not spend

    center, half_width = mean(values), float(sem(values) * t.ppf(0.975, len(values) - 1))
    return f"{center:.2f} (95 % interval {center - half_width:.2f} to {center + half_width:.2f})"


def print_description(name: str, model: Any) -> None:
    """Print which model and data are measured.

    Raises:
        UserError: the model takes features.
        DataError: its images are missing.
    """
    data = open_dataset(DATA / model.inputs)
    if data.info.kind != "images":
        raise UserError(f"{name} takes {model.inputs}; this measures models of images, from prepared/<data set>")
    provenance = data.info.provenance
    origin = f"{provenance['status']} images{provenance['note'] and ': ' + provenance['note']}"
    counts = ", ".join(f"{split} {len(data.targets(split)):,}" for split in SPLITS)
    views = load_tta_views(model) or "no"
    print(f"{name} on {model.dataset} ({origin}; {counts}); test averaged over views: {views}", flush=True)


def main() -> None:
    """Measure one model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="mnist-speednet", help="of params.yaml")
    parser.add_argument("--seeds", type=int, default=3, help="trainings, with seeds from 0; 2 or more")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="such as train.epochs=4")
    parser.add_argument("--goal", type=float, help="a validation accuracy, 0 to 1; says when it was reached")
    args = parser.parse_args()
    model = load_model_config(args.model, args.set)
    if args.seeds < 2:
        raise UserError(f"--seeds is {args.seeds}; an interval needs 2 or more")
    setup_runtime_for(args.model, model)
    print_description(args.model, model)
    outcomes = train_per_seed(args.model, args.set, args.seeds, args.goal)
    print(f"test accuracy: {format_interval([100 * outcome['accuracy'] for outcome in outcomes])} %")
    print(f"cold process to metric: {format_interval([outcome['cold'] for outcome in outcomes])} s")
    print(f"training alone: {format_interval([outcome['seconds'] for outcome in outcomes])} s")
    ratio = mean(outcome["cold"] / outcome["seconds"] for outcome in outcomes)
    print(f"the whole takes {ratio:.2f} times its training")


if __name__ == "__main__":
    run_with_exit_code(main)
