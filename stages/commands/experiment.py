"""`vision experiment`: named comparisons of models, each ending in one table and one figure."""

from typing import Annotated

import typer

from stages.commands.experiments.file import EXPERIMENTS, read_experiment
from stages.commands.experiments.variants import with_variants
from stages.commands.pipeline.beside import params_here
from stages.commands.pipeline.commit import refuse_without_commit
from stages.commands.pipeline.copies import refuse_copy
from stages.commands.plans.forecast import trainings
from stages.params.named_files import say_each
from stages.project.console import say
from stages.project.files import write_text
from stages.project.paths import REPORTS


def experiment(name: Annotated[str, typer.Argument(help="One of them; without it, they are listed.")] = "") -> None:
    """List the experiments, or run one; its table and figure go to reports/experiments/NAME."""
    if name:
        run_experiment(name)
    else:
        say_each(EXPERIMENTS, lambda each: read_experiment(each).about)


def run_experiment(name: str) -> None:
    """Run all variants with every seed, by DVC, without touching the workspace; write the table and the figure."""
    from stages.commands.experiments.figure import draw_experiment
    from stages.commands.experiments.run import figures, run_models
    from stages.commands.experiments.table import as_markdown, table

    refuse_without_commit()
    asked, before = read_experiment(name), params_here()
    params, variants = with_variants(name, asked, before)
    models = [variant.name for variant in variants]
    refuse_copy(params, models)
    changed = [section for section in params if params[section] != before.get(section)]
    epochs = [variant.model["train"].get("epochs") for variant in variants] * len(asked.seeds)
    say(f"{name}: {len(models)} models, {len(asked.seeds)} seed(s); {trainings(asked.base, epochs)}")
    commits = [run_models(f"{name}-seed{seed}", seed, params, changed, models) for seed in asked.seeds]
    rows = table(asked, variants, [[figures(commit, model) for commit in commits] for model in models])
    folder = REPORTS / "experiments" / name
    write_text(folder / "table.csv", rows.to_csv(index=False, float_format="%.8g", lineterminator="\n"))
    write_text(folder / "table.md", page := as_markdown(name, asked, rows))
    draw_experiment(folder / "figure.png", asked, rows)
    say(f"{page}\n{folder}/ has the table and the figure")
