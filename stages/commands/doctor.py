"""`vision doctor`: what of this machine and environment stands in the way, and how to mend it."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Annotated

import typer

from stages.commands import (
    doctor_data,
    doctor_disk,
    doctor_environment,
    doctor_leftovers,
    doctor_machine,
    doctor_tracking,
)
from stages.commands.finding import PROBLEM, Finding, problem
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
        "python": doctor_environment.python,
        "packages": doctor_environment.packages,
        "programs": doctor_environment.programs,
        "git": doctor_environment.git_repository,
        "params": doctor_data.params,
        "device": doctor_machine.device,
        "cores": doctor_machine.cores,
        "memory": doctor_machine.memory,
        "disk": doctor_disk.disk,
        "folder": doctor_disk.folder,
        "links": doctor_disk.links,
        "locks": doctor_leftovers.locks,
        "leftovers": doctor_leftovers.temporary,
        "stash": doctor_leftovers.stash,
        "MLflow": doctor_tracking.mlflow,
        "Optuna": doctor_tracking.optuna,
        "sources": partial(doctor_data.sources, offline),
    }


def _asked(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a check finds; what it refuses to go on with is a problem, too, and says its fix itself."""
    try:
        yield from check()
    except Refusal as refusal:
        yield problem(str(refusal), "")
