"""`vision doctor`: what of this machine and environment stands in the way, and how to mend it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import typer

from stages.commands.doctor_checks import data, disk, environment, leftovers, machine, tracking
from stages.commands.doctor_checks.finding import PROBLEM, Finding, problem
from stages.project.console import Refusal, say


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Ask no host, only DATA_MIRROR.")] = False,
) -> None:
    """Check environment, machine, leftovers of killed processes and sources; say how to mend what is wrong.

    Nothing is changed. A note is worth knowing; with a PROBLEM the exit code is 1.
    """
    found = []
    for title, check in _checks(offline).items():
        for finding in _asked(check):
            found.append(finding)
            say(f"{finding.level:7}  {title:10}  {finding.about}" + (f"; fix: {finding.fix}" if finding.fix else ""))
    count = sum(finding.level == PROBLEM for finding in found)
    if count:
        raise Refusal(f"{count} problem{'s' * (count > 1)}, as said above")


def _checks(offline: bool) -> dict[str, Callable[[], Iterator[Finding]]]:
    return {
        "python": environment.python,
        "code": environment.code,
        "packages": environment.packages,
        "programs": environment.programs,
        "git": environment.git_repository,
        "line ends": environment.line_ends,
        "identity": environment.identity,
        "DVC": environment.dvc_repository,
        "params": data.params,
        "device": machine.device,
        "cores": machine.cores,
        "memory": machine.memory,
        "disk": disk.disk,
        "folder": disk.folder,
        "links": disk.links,
        "locks": leftovers.locks,
        "leftovers": leftovers.temporary,
        "stash": leftovers.stash,
        "MLflow": tracking.mlflow,
        "Optuna": tracking.optuna,
        "copies": data.experiments,
        "sources": partial(data.sources, offline),
    }


def _asked(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; what it refuses to go on with is a problem, too, and says its fix itself."""
    try:
        yield from check()
    except Refusal as refusal:
        yield problem(str(refusal), "")
