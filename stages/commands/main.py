"""The console command `vision`: what a person types beside `dvc`."""

import typer

from stages.commands.activations import activations
from stages.commands.check import check
from stages.commands.experiment import experiment
from stages.commands.filters import filters
from stages.commands.gradients import gradients
from stages.commands.invariance import invariance
from stages.commands.plan import plan
from stages.commands.predict import predict
from stages.commands.preset import preset
from stages.commands.repro import repro
from stages.commands.style import style
from stages.commands.summary import summary
from stages.commands.sweep import sweep
from stages.commands.tour import tour
from stages.commands.ui import ui
from stages.project.door import run_or_refuse

app = typer.Typer(
    help="What stands beside `dvc repro`: checks, plans, experiments, sweeps, summaries, predictions, a tour.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    check,
    preset,
    plan,
    repro,
    experiment,
    sweep,
    summary,
    predict,
    activations,
    filters,
    gradients,
    invariance,
    style,
    tour,
    ui,
):
    app.command()(command)


def run() -> None:
    """Run a subcommand; a refusal is one line and exit code 1, without a traceback."""
    run_or_refuse(app)


if __name__ == "__main__":
    run()
