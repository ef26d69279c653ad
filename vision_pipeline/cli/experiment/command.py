"""`vision experiment`: named comparisons of models, each ending in one table and one figure.

DVC runs an experiment's models in a temporary copy beside the workspace; their metrics are then read from git.
"""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from vision_pipeline.cli.experiment.variants import EXPERIMENTS, expand_variants, read_experiment
from vision_pipeline.cli.param_overrides import ParamDict
from vision_pipeline.cli.pipeline.dvc import prefix_lines
from vision_pipeline.cli.pipeline.obstacles import require_copyable
from vision_pipeline.cli.pipeline.schedule import describe_time
from vision_pipeline.cli.pipeline.temp_experiment import read_workspace_params, run_temp_experiment, to_hydra
from vision_pipeline.config.named_files import print_list
from vision_pipeline.core.files import write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import REPORTS, model_report_dir
from vision_pipeline.vcs.git import require_commit, show_file


def experiment(name: Annotated[str, typer.Argument(help="One of them; without it, they are listed.")] = "") -> None:
    """List the experiments, or run one; its table and figure go to reports/experiments/NAME."""
    if name:
        run_experiment(name)
    else:
        print_list(EXPERIMENTS, lambda experiment_name: read_experiment(experiment_name).description)


def run_experiment(name: str) -> None:
    """Run all variants with every seed, by DVC, without touching the workspace; write the table and the figure."""
    from vision_pipeline.cli.experiment.results_plot import plot_experiment
    from vision_pipeline.cli.experiment.results_table import render_results_markdown, tabulate_results

    require_commit()
    config, workspace_params = read_experiment(name), read_workspace_params()
    params, variants = expand_variants(name, config, workspace_params)
    models = [variant.name for variant in variants]
    require_copyable(params, models)
    changed_sections = [section for section in params if params[section] != workspace_params.get(section)]
    epochs = [variant.model["train"].get("epochs") for variant in variants] * len(config.seeds)
    typer.echo(f"{name}: {len(models)} models, {len(config.seeds)} seed(s); {describe_time(config.base, epochs)}")
    commits = [
        run_models(f"{name}-seed{seed}", seed, params=params, changed_sections=changed_sections, models=models)
        for seed in config.seeds
    ]
    rows = tabulate_results(config, variants, [[read_metrics(commit, model) for commit in commits] for model in models])
    folder = REPORTS / "experiments" / name
    write_text(folder / "table.csv", rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))
    write_text(folder / "table.md", page := render_results_markdown(name, config, rows))
    plot_experiment(folder / "figure.png", config, rows)
    typer.echo(f"{page}\n{folder}/ has the table and the figure")


def run_models(
    name: str, seed: int, *, params: ParamDict, changed_sections: Iterable[str], models: Sequence[str]
) -> str:
    """Train and test models in a temporary copy of the workspace.

    Args:
        name: name of the DVC experiment.
        seed: the `seed` of params.yaml.
        params: all sections of params.yaml.
        changed_sections: the sections that differ from the workspace's.
        models: the models to evaluate, all of them keys of `params["models"]`.

    Returns:
        The commit of the DVC experiment.

    Raises:
        UserError: a stage failed (see `run_temp_experiment`).
    """
    overrides = [f"seed={seed}"]
    for section in changed_sections:
        overrides += [f"~{section}", f"+{section}={to_hydra(params[section])}"]
    logger.debug(f"{name}: runs with {' '.join(overrides)}")
    return run_temp_experiment(
        name, overrides, [f"evaluate@{model}" for model in models], lambda lines: _print_progress(lines, models)
    )


def _print_progress(lines: Iterable[str], models: Sequence[str]) -> None:
    """Print the stages' output, each line with the number of trainings and tests that were begun or skipped."""
    started_stages: set[str] = set()
    for line in prefix_lines(lines):
        started_stages |= set(re.findall(r"(?:train|evaluate)@[\w-]+", line))
        typer.echo(f"[{len(started_stages)}/{2 * len(models)}] {line}")


def read_metrics(commit: str, model: str) -> dict[str, Any]:
    """Return the fields of a model's `train.json` and `metrics.json` in a commit, and a metric of its first layer.

    `first_layer_gradient` is the gradient's norm in the first layer that trains, before the first step; it is None
    where none was measured (L-BFGS).
    """
    train, metrics, layers = (
        show_file(commit, model_report_dir(model) / file) for file in ("train.json", "metrics.json", "layers.csv")
    )
    first_layer = next(csv.DictReader(layers.splitlines()), None)
    gradient = float(first_layer["gradient_norm"]) if first_layer else None
    return json.loads(train) | json.loads(metrics) | {"first_layer_gradient": gradient}
