"""`vision experiment`: named comparisons of models, each ending in one table and one figure."""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from vision_pipeline.cli.experiment.variants import EXPERIMENTS, ParamDict, expand_variants, read_experiment
from vision_pipeline.cli.pipeline.dvc import prefix_lines
from vision_pipeline.cli.pipeline.schedule import describe_time
from vision_pipeline.cli.pipeline.obstacles import require_copyable
from vision_pipeline.cli.pipeline.temp_experiment import read_workspace_params, run_temp_experiment, to_hydra
from vision_pipeline.config.named_files import print_list
from vision_pipeline.core.files import write_text
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
    commits = [run_models(f"{name}-seed{seed}", seed, params, changed_sections, models) for seed in config.seeds]
    rows = tabulate_results(config, variants, [[read_metrics(commit, model) for commit in commits] for model in models])
    folder = REPORTS / "experiments" / name
    write_text(folder / "table.csv", rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))
    write_text(folder / "table.md", page := render_results_markdown(name, config, rows))
    plot_experiment(folder / "figure.png", config, rows)
    typer.echo(f"{page}\n{folder}/ has the table and the figure")


# MERGED Running an experiment's models by DVC, beside the workspace, and reading what came of them from git.
def run_models(name: str, seed: int, params: ParamDict, changed_sections: Iterable[str], models: Sequence[str]) -> str:
    """Train and test `models` in a throw-away copy as the DVC experiment `name`; the commit that it ends in.

    Args:
        name: of the DVC experiment.
        seed: of params.yaml.
        params: the whole of them.
        changed_sections: their sections that differ from the workspace's.
        models: all of `params["models"]` that are wanted.

    Raises:
        UserError: as `run_temp_experiment`.
    """
    overrides = [f"seed={seed}"]
    for section in changed_sections:
        overrides += [f"~{section}", f"+{section}={to_hydra(params[section])}"]
    return run_temp_experiment(
        name, overrides, [f"evaluate@{model}" for model in models], lambda lines: _print_progress(lines, models)
    )


def _print_progress(lines: Iterable[str], models: Sequence[str]) -> None:
    """What the stages typer.echo, and how many trainings and tests have been begun or taken from the cache."""
    started_stages: set[str] = set()
    for line in prefix_lines(lines):
        started_stages |= set(re.findall(r"(?:train|evaluate)@[\w-]+", line))
        typer.echo(f"[{len(started_stages)}/{2 * len(models)}] {line}")


def read_metrics(commit: str, model: str) -> dict[str, Any]:
    """What a model's reports say in a commit: `train.json` and `metrics.json`, and of its first layer.

    `first_layer_gradient` is the gradient's norm in the first layer that trains, before the first step; None where
    none was measured (L-BFGS).
    """
    train, metrics, layers = (
        show_file(commit, model_report_dir(model) / file) for file in ("train.json", "metrics.json", "layers.csv")
    )
    first_layer = next(csv.DictReader(layers.splitlines()), None)
    gradient = float(first_layer["gradient_norm"]) if first_layer else None
    return json.loads(train) | json.loads(metrics) | {"first_layer_gradient": gradient}
