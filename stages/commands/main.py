"""The console command `vision`: what a person types beside `dvc`."""

import sys
import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType

import typer

from stages.commands.activations import activations
from stages.commands.champion import champion
from stages.commands.check import check
from stages.commands.diff import diff
from stages.commands.doctor import doctor
from stages.commands.experiment import experiment
from stages.commands.filters import filters
from stages.commands.gradients import gradients
from stages.commands.inspect import inspect
from stages.commands.invariance import invariance
from stages.commands.plan import plan
from stages.commands.plots import plots
from stages.commands.predict import predict
from stages.commands.preset import preset
from stages.commands.repro import repro
from stages.commands.show import show
from stages.commands.style import style
from stages.commands.summary import summary
from stages.commands.sweep import sweep
from stages.commands.sync import sync
from stages.commands.tour import tour
from stages.commands.ui import ui
from stages.commands.verify import verify
from stages.project.checkout import run_code_here
from stages.project.door import run_or_refuse
from stages.project.missing import missing_package
from stages.tracking.secrets import masked

app = typer.Typer(
    help="What stands beside `dvc repro`: checks, plans, experiments, sweeps, summaries, predictions, a tour.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_PANELS: dict[str, tuple[Callable[..., None], ...]] = {
    "Run": (check, doctor, preset, plan, repro, experiment, sweep),
    "Compare and keep": (show, diff, sync, inspect, verify, champion, plots, ui),
    "Look and try": (predict, summary, activations, filters, gradients, invariance, style, tour),
}
for panel, commands in _PANELS.items():
    for command in commands:
        app.command(rich_help_panel=panel)(command)


def run() -> None:
    """Run a subcommand; a refusal is one line and exit code 1, without a traceback; a defect's shows no password."""
    run_code_here()
    sys.excepthook = _traceback_masked
    run_or_refuse(partial(app, prog_name="vision"))


def _traceback_masked(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = missing_package(error)
    text = f"ERROR: {line}\n" if line else "".join(traceback.format_exception(kind, error, trace))
    print(masked(text), file=sys.stderr, end="")


if __name__ == "__main__":
    run()
