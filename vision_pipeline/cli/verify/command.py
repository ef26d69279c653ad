"""`vision verify`: compares the results that a commit records with what its code and data give here.

The workspace need not be trusted: DVC runs the stages again in a clean clone of the commit, without its run cache. The
clone takes from the workspace only the data in DVC's cache, whose bytes are hashed anew.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from vision_pipeline.cli.verify.clone import clone_commit, fetch_or_plan, rerun_stages
from vision_pipeline.cli.verify.snapshot import CloneSnapshot, take_git_snapshot, take_snapshot
from vision_pipeline.cli.verify.verdict import (
    DIFFERENT,
    IDENTICAL,
    WITHIN,
    Output,
    Verdict,
    compare_data,
    compare_model,
)
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import ArtifactError, UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import model_report_dir
from vision_pipeline.vcs.experiments import resolve_commit
from vision_pipeline.vcs.git import git_or_empty, require_commit


def verify(
    models: Annotated[
        list[str] | None, typer.Argument(help="Models; without one, all of the commit's dvc.lock.")
    ] = None,
    rev: Annotated[str, typer.Option("--rev", help="A commit, a branch or an experiment.")] = "HEAD",
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Train nothing: test the stored checkpoint again, which is quick.")
    ] = False,
    export: Annotated[bool, typer.Option("--export", help="Export each model again, too.")] = False,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="Write all of it to FILE, too: every output.", metavar="FILE")
    ] = None,
) -> None:
    """Train and test models again in a clean clone of a commit, and compare every output with its dvc.lock.

    identical: the MD5 is.
    within the seed band: the test accuracy is where one more training is
    expected (95 %, by the commit's seeds; with one seed, its Wilson interval).
    different: it is not, or params or data are not those of dvc.lock.

    What may be the cause is told. The exit code is 0 without a difference,
    else 1. The clone is made where TMPDIR says, and removed. It runs the
    commit's code: verify whom you trust that far.
    """
    require_commit()
    commit = resolve_commit(rev)
    if git_or_empty("status", "--porcelain", "--untracked-files=no", "--", "."):
        logger.warning(f"what is not committed is left out: this verifies commit {commit[:12]}")
    kinds = ["evaluate"] if evaluate else ["train", "evaluate"]
    kinds += ["export"] if export else []
    with clone_commit(commit) as root:
        before = take_git_snapshot(root)
        names = _select_models(models or [], before)
        stages = fetch_or_plan(root, [f"{kind}@{name}" for name in names for kind in kinds], not evaluate)
        rerun_stages(root, stages)
        after = take_snapshot(root)
        data = compare_data(stages, before, after)
        verdicts = [compare_model(name, kinds, commit=commit, before=before, after=after) for name in names]
    method = "tested again from their checkpoints" if evaluate else "trained and tested again"
    typer.echo(f"\ncommit {commit}, {method} in a clean clone:")
    typer.echo(format_verdicts(verdicts, data))
    if json_file:
        write_json(json_file, verdicts_as_json(commit, method, verdicts, data))
    if any(verdict.status == DIFFERENT for verdict in verdicts):
        raise typer.Exit(1)


def _select_models(names: list[str], snapshot: CloneSnapshot) -> list[str]:
    """Return the names of the models to verify.

    Raises:
        UserError: the commit does not record one of them, or none at all.
        ArtifactError: it lacks a model's reports.
    """
    for name in names:
        if name not in snapshot.models:
            raise UserError(f"the commit's dvc.lock has no tested model {name}; {did_you_mean(name, snapshot.models)}")
    if not snapshot.models:
        raise UserError("the commit's dvc.lock has no tested model; `vision repro`, then commit dvc.lock and reports")
    selected = list(dict.fromkeys(names)) or snapshot.models
    for name in selected:
        if not all(snapshot.reports[name].values()):
            raise ArtifactError(
                f"the commit lacks {model_report_dir(name)}/train.json or metrics.json; `git add reports`, commit"
            )
    return selected


def format_verdicts(verdicts: Sequence[Verdict], data: Sequence[Output]) -> str:
    """Return a line for each model, with what differs below it, then the number of each verdict."""
    width = max(len(verdict.model) for verdict in verdicts)
    lines = [line for verdict in verdicts for line in _format_verdict(verdict, width)]
    if data:
        lines.append("Not in DVC's cache, so made anew:")
        lines += [f"  {output.path}: {IDENTICAL if output.identical else DIFFERENT}" for output in data]
    counts = {
        status: sum(verdict.status == status for verdict in verdicts) for status in (IDENTICAL, WITHIN, DIFFERENT)
    }
    return "\n".join([*lines, ", ".join(f"{count} {status}" for status, count in counts.items() if count)])


def _format_verdict(verdict: Verdict, width: int) -> list[str]:
    same = sum(output.identical for output in verdict.outputs)
    recorded, here = verdict.accuracy
    lines = [
        f"{verdict.model:{width}}  {verdict.status:{len(WITHIN)}}  {same} of {len(verdict.outputs)} outputs identical, "
        f"test accuracy {here:.2%} (recorded: {recorded:.2%})"
    ]
    if same < len(verdict.outputs):
        lines.append(f"  band {verdict.band.low:.2%} to {verdict.band.high:.2%} ({verdict.band.basis})")
        lines += [
            f"  {output.path}: {verdict.output_status(output)}" for output in verdict.outputs if not output.identical
        ]
    return [*lines, *(f"  likely cause: {cause}" for cause in verdict.causes)]


def verdicts_as_json(commit: str, method: str, verdicts: Sequence[Verdict], data: Sequence[Output]) -> dict[str, Any]:
    """Return the content of the file of --json: the verdict and both MD5s of every output."""
    return {
        "commit": commit,
        "how": method,
        "models": {verdict.model: _verdict_as_json(verdict) for verdict in verdicts},
        "data_made_anew": {
            output.path: _output_as_json(output, IDENTICAL if output.identical else DIFFERENT) for output in data
        },
    }


def _verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    recorded, here = verdict.accuracy
    return {
        "verdict": verdict.status,
        "accuracy": {"recorded": recorded, "here": here},
        "band": {"low": verdict.band.low, "high": verdict.band.high, "by": verdict.band.basis},
        "causes": verdict.causes,
        "outputs": {output.path: _output_as_json(output, verdict.output_status(output)) for output in verdict.outputs},
    }


def _output_as_json(output: Output, status: str) -> dict[str, Any]:
    return {"verdict": status, "recorded": output.recorded, "here": output.here}
