"""`vision diff`: what a change did to each model, and whether it is more than chance."""

import io
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stages.commands.pipeline.commit import refuse_without_commit
from stages.project.console import Refusal, say
from stages.project.files import read_json
from stages.project.paths import MODEL_REPORTS, model_report

if TYPE_CHECKING:
    import pandas as pd


def diff(
    before: Annotated[str, typer.Argument(help="An experiment, a branch or a commit.")] = "HEAD",
    after: Annotated[str, typer.Argument(help="Another; without it, the workspace.")] = "",
) -> None:
    """Compare each model's answers to the same test items before and after a change, by McNemar's exact test."""
    from stages.evaluation.comparisons import changes

    refuse_without_commit()
    old, new = _keys(before), _keys(after)
    both = [name for name in new if name in old]
    if not both:
        raise Refusal(f"{before} and {after or 'the workspace'} have no tested model in common")
    changed = {name: (_tested(before, name), _tested(after, name)) for name in both if old[name] != new[name]}
    found = {row["model"]: row for row in changes(changed)}
    for name in both:
        say(f"{name:{max(map(len, both))}}  {_told(old[name] == new[name], found.get(name))}")
    if found:
        say("Points of accuracy, 95 % interval (Agresti and Min); p by McNemar's exact test, with Holm's correction.")


def _keys(revision: str) -> dict[str, str]:
    """By model that was trained and tested there, the key of its training."""
    from stages.tracking.experiments import commit_of, states

    if revision:
        commit = commit_of(revision)
        reports = states([commit])[commit].reports
        return {name: report["key"] for name, report in reports.items() if {"key", "accuracy"} <= report.keys()}
    files = sorted(MODEL_REPORTS.glob("*/predictions.csv"))
    return {file.parent.name: read_json(file.with_name("train.json"))["key"] for file in files}


def _tested(revision: str, name: str) -> "pd.DataFrame":
    """A model's `predictions.csv`, which DVC's cache has."""
    from stages.evaluation.tables import read_words

    path = model_report(name) / "predictions.csv"
    if not revision:
        return read_words(path)
    from dvc.exceptions import DvcException

    from stages.commands.pipeline.dvc import read_from_commit
    from stages.tracking.experiments import commit_of

    try:
        content = read_from_commit(path, commit_of(revision))
    except (DvcException, FileNotFoundError) as error:
        raise Refusal(f"{path} of {revision} is not in DVC's cache ({error}); `dvc fetch` brings it") from error
    return read_words(io.BytesIO(content))


def _told(same: bool, row: dict[str, Any] | None) -> str:
    if same:
        return "the same training"
    if row is None:
        return "tested on other items: not comparable"
    points, low, high = (100 * row[key] for key in ("difference", "low", "high"))
    verdict = ("better" if points > 0 else "worse") if row["told_apart"] else "not told apart"
    figures = f"{row['before']:.2%} → {row['after']:.2%}  {points:+.2f} ({low:+.2f} to {high:+.2f})"
    return f"{figures}, p {row['p_holm']:.3g}: {verdict}"
