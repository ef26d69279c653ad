"""`vision doctor`: problems of environment, hardware, data and leftovers, each with its fix."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import typer

from vision_pipeline.cli.doctor import data, environment, hardware, stale_state
from vision_pipeline.cli.doctor.finding import PROBLEM, Finding, problem
from vision_pipeline.core.errors import UserError


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no host, only DATA_MIRROR.")] = False,
) -> None:
    """Check environment, machine, leftovers of killed processes and sources; say how to mend what is wrong.

    Nothing is changed. A note is worth knowing; with a PROBLEM the exit code is 1.
    """
    findings = []
    for title, check in _list_checks(offline).items():
        for finding in _run_check(check):
            findings.append(finding)
            typer.echo(
                f"{finding.level:7}  {title:10}  {finding.message}" + (f"; fix: {finding.fix}" if finding.fix else "")
            )
    count = sum(finding.level == PROBLEM for finding in findings)
    if count:
        raise UserError(f"{count} problem{'s' * (count > 1)}, as said above")


def _list_checks(offline: bool) -> dict[str, Callable[[], Iterator[Finding]]]:
    return {
        "python": environment.check_python,
        "code": environment.check_code,
        "packages": environment.check_packages,
        "programs": environment.check_programs,
        "git": environment.check_git,
        "line ends": environment.check_line_ends,
        "identity": environment.check_git_identity,
        "DVC": environment.check_dvc,
        "params": data.check_params,
        "device": hardware.check_device,
        "cores": hardware.check_cores,
        "memory": hardware.check_memory,
        "disk": hardware.check_disk_space,
        "folder": hardware.check_writable,
        "links": hardware.check_links,
        "locks": stale_state.check_locks,
        "leftovers": stale_state.check_partial_files,
        "stash": stale_state.check_stash,
        "MLflow": stale_state.check_mlflow,
        "Optuna": stale_state.check_optuna,
        "copies": data.check_experiments,
        "sources": partial(data.check_sources, offline),
    }


def _run_check(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check; a UserError is a problem, too, and its message has the fix."""
    try:
        yield from check()
    except UserError as error:
        yield problem(str(error), "")
