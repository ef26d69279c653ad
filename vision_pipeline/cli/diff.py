"""`vision diff`: the effect of a change on each model, and whether it is more than chance."""

import io
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vision_pipeline.core.errors import ArtifactError, UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.paths import MODEL_REPORTS, model_report_dir
from vision_pipeline.vcs.experiments import read_commits, resolve_commit
from vision_pipeline.vcs.git import require_commit

if TYPE_CHECKING:
    import pandas as pd


def diff(
    before: Annotated[str, typer.Argument(help="An experiment, a branch or a commit.")] = "HEAD",
    after: Annotated[str, typer.Argument(help="Another; without it, the workspace.")] = "",
) -> None:
    """Compare each model's answers to the same test items before and after a change, by McNemar's exact test."""
    from vision_pipeline.evaluation.significance import compare_before_after

    require_commit()
    old, new = _read_training_keys(before), _read_training_keys(after)
    common = [name for name in new if name in old]
    if not common:
        raise UserError(f"{before} and {after or 'the workspace'} have no tested model in common")
    changed = {
        name: (_read_predictions(before, name), _read_predictions(after, name))
        for name in common
        if old[name] != new[name]
    }
    rows = {row["model"]: row for row in compare_before_after(changed)}
    for name in common:
        typer.echo(f"{name:{max(map(len, common))}}  {_format_comparison(old[name] == new[name], rows.get(name))}")
    if rows:
        typer.echo(
            "Points of accuracy, 95 % interval (Agresti and Min); p by McNemar's exact test, with Holm's correction."
        )


def _read_training_keys(revision: str) -> dict[str, str]:
    """Return the key of the training of each model that was trained and tested in a revision, "" for the workspace."""
    if revision:
        commit = resolve_commit(revision)
        reports = read_commits([commit])[commit].reports
        return {name: report["key"] for name, report in reports.items() if {"key", "accuracy"} <= report.keys()}
    files = sorted(MODEL_REPORTS.glob("*/predictions.csv"))
    return {file.parent.name: read_json(file.with_name("train.json"))["key"] for file in files}


def _read_predictions(revision: str, name: str) -> "pd.DataFrame":
    """Return the predictions of a model in a revision, from DVC's cache; "" for the workspace.

    Raises:
        ArtifactError: the cache does not have them.
    """
    from vision_pipeline.evaluation.tables import read_csv_str

    path = model_report_dir(name) / "predictions.csv"
    if not revision:
        return read_csv_str(path)
    from dvc.exceptions import DvcException

    from vision_pipeline.cli.pipeline.dvc import read_from_commit

    try:
        content = read_from_commit(path, resolve_commit(revision))
    except (DvcException, FileNotFoundError) as error:
        raise ArtifactError(f"{path} of {revision} is not in DVC's cache ({error}); `dvc fetch` brings it") from error
    return read_csv_str(io.BytesIO(content))


def _format_comparison(same: bool, row: dict[str, Any] | None) -> str:
    if same:
        return "the same training"
    if row is None:
        return "tested on other items: not comparable"
    points, low, high = (100 * row[key] for key in ("difference", "low", "high"))
    verdict = ("better" if points > 0 else "worse") if row["told_apart"] else "not told apart"
    text = f"{row['before']:.2%} → {row['after']:.2%}  {points:+.2f} ({low:+.2f} to {high:+.2f})"
    return f"{text}, p {row['p_holm']:.3g}: {verdict}"
