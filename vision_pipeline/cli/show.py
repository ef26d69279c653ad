"""`vision show`: a table of DVC's experiments, the models that each trained, and what it changed."""

from typing import Annotated, Any, NamedTuple

import typer

from vision_pipeline.core.text import join_limited
from vision_pipeline.vcs.experiments import CommitState, list_experiments, read_commits
from vision_pipeline.vcs.git import git_or_empty, require_commit

_MAX_CHANGES = 3  # changed params of a row


class ExperimentRow(NamedTuple):
    """A row of the table, as text."""

    experiment: str
    model: str
    test: str
    validation: str
    points: str
    changed: str


_HEADER = ExperimentRow("Experiment", "Model", "Test", "Validation", "Points", "Changed")


def show(
    everywhere: Annotated[bool, typer.Option("--all", help="Also those that began from other commits.")] = False,
) -> None:
    """List DVC's experiments: what each changed, and what became of every model that it trained."""
    require_commit()
    head = git_or_empty("rev-parse", "HEAD")
    experiments = [experiment for experiment in list_experiments() if everywhere or experiment.baseline == head]
    if not experiments:
        typer.echo(
            "no experiment began from this commit; `vision show --all` lists the others, `dvc exp run` makes one"
        )
        return
    commits = read_commits(
        [*(experiment.commit for experiment in experiments), *(experiment.baseline for experiment in experiments)]
    )
    table = [
        row
        for experiment in experiments
        for row in make_rows(experiment.name, commits[experiment.commit], commits[experiment.baseline])
    ]
    widths = [max(len(row[column]) for row in (_HEADER, *table)) for column in range(len(_HEADER) - 1)]
    for row in (_HEADER, *table):
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        typer.echo("  ".join([*cells, row.changed]).rstrip())


def make_rows(name: str, after: CommitState, before: CommitState) -> list[ExperimentRow]:
    """Return a row for each model that an experiment trained anew.

    Args:
        name: name of the experiment.
        after: what git holds of its commit.
        before: what git holds of the commit that it began from.
    """
    trained = [
        model
        for model, report in after.reports.items()
        if report and report.get("key") != before.reports.get(model, {}).get("key")
    ]
    other_changes = _list_changes(_drop_models(before.params), _drop_models(after.params))
    table_rows = [
        _make_row(model, after, before, other_changes if index == 0 else []) for index, model in enumerate(trained)
    ]
    table_rows = table_rows or [ExperimentRow("", "no model trained", "", "", "", _format_changes(other_changes))]
    return [table_rows[0]._replace(experiment=name), *table_rows[1:]]


def _drop_models(params: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != "models"}


def _make_row(model: str, after: CommitState, before: CommitState, other_changes: list[str]) -> ExperimentRow:
    report, old = after.reports[model], before.reports.get(model, {})
    points = (
        f"{100 * (report['accuracy'] - old['accuracy']):+.2f}" if "accuracy" in report and "accuracy" in old else ""
    )
    section, earlier = after.params["models"][model], before.params.get("models", {}).get(model)
    changed = _list_changes(earlier, section) if earlier is not None else ["a new model"]
    return ExperimentRow(
        "",
        model,
        _format_percent(report, "accuracy"),
        _format_percent(report, "val_accuracy"),
        points,
        _format_changes(other_changes + changed),
    )


def _format_percent(report: dict[str, Any], key: str) -> str:
    return f"{report[key]:.2%}" if key in report else ""


def _list_changes(before: dict[str, Any], after: dict[str, Any], prefix: str = "") -> list[str]:
    """Return what differs, as `key=value`; a section that is new or gone as one."""
    changes: list[str] = []
    for key in dict.fromkeys([*after, *before]):
        old, new, name = before.get(key), after.get(key), f"{prefix}{key}"
        if isinstance(old, dict) and isinstance(new, dict):
            changes += _list_changes(old, new, f"{name}.")
        elif key not in after:
            changes.append(f"without {name}")
        elif old != new:
            changes.append(f"{name} is new" if isinstance(new, dict) else f"{name}={new}")
    return changes


def _format_changes(changed: list[str]) -> str:
    return join_limited(changed, _MAX_CHANGES)
