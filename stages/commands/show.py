"""`vision show`: DVC's experiments in a table that a screen has room for."""

from typing import Annotated

import typer

from stages.commands.pipeline.commit import refuse_without_commit
from stages.commands.show_rows import Row, rows
from stages.project.console import say

_HEAD = Row("Experiment", "Model", "Test", "Validation", "Points", "Changed")


def show(
    everywhere: Annotated[bool, typer.Option("--all", help="Also those that began from other commits.")] = False,
) -> None:
    """List DVC's experiments: what each changed, and what became of every model that it trained."""
    from stages.tracking.experiments import experiments, states
    from stages.tracking.git import git

    refuse_without_commit()
    head = git("rev-parse", "HEAD")
    found = [one for one in experiments() if everywhere or one.baseline == head]
    if not found:
        say("no experiment began from this commit; `vision show --all` lists the others, `dvc exp run` makes one")
        return
    known = states([*(one.commit for one in found), *(one.baseline for one in found)])
    table = [row for one in found for row in rows(one.name, known[one.commit], known[one.baseline])]
    widths = [max(len(row[place]) for row in (_HEAD, *table)) for place in range(len(_HEAD) - 1)]
    for row in (_HEAD, *table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*cells, row.changed]).rstrip())
