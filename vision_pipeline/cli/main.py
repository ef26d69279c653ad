"""The console command `vision`, beside `dvc`."""

import sys
import traceback
from collections.abc import Callable
from functools import partial
from types import TracebackType

from vision_pipeline.core.process import setup_process

setup_process()  # before the imports below: one may be missing, and typer keeps the hook for errors that it finds

# ruff: noqa: E402
import typer

from vision_pipeline.cli.activations import activations
from vision_pipeline.cli.champion import champion
from vision_pipeline.cli.check import check
from vision_pipeline.cli.diff import diff
from vision_pipeline.cli.doctor.command import doctor
from vision_pipeline.cli.experiment.command import experiment
from vision_pipeline.cli.filters import filters
from vision_pipeline.cli.gradients import gradients
from vision_pipeline.cli.inspect import inspect
from vision_pipeline.cli.invariance import invariance
from vision_pipeline.cli.plan import plan
from vision_pipeline.cli.plots import plots
from vision_pipeline.cli.predict.command import predict
from vision_pipeline.cli.preset import preset
from vision_pipeline.cli.repro import repro
from vision_pipeline.cli.show import show
from vision_pipeline.cli.style import style
from vision_pipeline.cli.summary import summary
from vision_pipeline.cli.sweep.command import sweep
from vision_pipeline.cli.sync import sync
from vision_pipeline.cli.tour.command import tour
from vision_pipeline.cli.ui import ui
from vision_pipeline.cli.verify.command import verify
from vision_pipeline.core.environment import explain_missing_package, reexec_with_local_code
from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.tracking.secrets import redact

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
for _panel, _commands in _PANELS.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


def run() -> None:
    """Run a subcommand; a UserError is one line and exit code 1; the traceback of a defect shows no password."""
    reexec_with_local_code()
    sys.excepthook = _print_redacted_traceback
    run_with_exit_code(partial(app, prog_name="vision"))


def _print_redacted_traceback(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    line = explain_missing_package(error)
    text = f"ERROR: {line}\n" if line else "".join(traceback.format_exception(kind, error, trace))
    print(redact(text), file=sys.stderr, end="")


if __name__ == "__main__":
    run()
