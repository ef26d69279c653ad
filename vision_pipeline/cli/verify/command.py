"""`vision verify`: are the results that a commit records what its code and data give here?

The doubter needs no trust in the workspace: a clean clone of the commit is made elsewhere, and DVC runs the stages
again there, without its run cache. Of the workspace it takes the data in DVC's cache, whose bytes are hashed anew.
"""

from pathlib import Path
from typing import Annotated

import typer

from vision_pipeline.cli.verify.clone import clone_commit, fetch_or_plan, rerun_stages
from vision_pipeline.cli.verify.report import format_verdicts, verdicts_as_json
from vision_pipeline.cli.verify.snapshot import CloneSnapshot, take_git_snapshot, take_snapshot
from vision_pipeline.cli.verify.verdict import DIFFERENT, compare_data, compare_model
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import model_report_dir
from vision_pipeline.vcs.git import require_commit


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
    from vision_pipeline.vcs.experiments import resolve_commit
    from vision_pipeline.vcs.git import git_or_empty

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
        verdicts = [compare_model(name, kinds, commit, before, after) for name in names]
    method = "tested again from their checkpoints" if evaluate else "trained and tested again"
    typer.echo(f"\ncommit {commit}, {method} in a clean clone:")
    typer.echo(format_verdicts(verdicts, data))
    if json_file:
        write_json(json_file, verdicts_as_json(commit, method, verdicts, data))
    if any(verdict.status == DIFFERENT for verdict in verdicts):
        raise typer.Exit(1)


def _select_models(names: list[str], snapshot: CloneSnapshot) -> list[str]:
    """The models to verify.

    Raises:
        UserError: the commit does not record one of them, or none at all.
    """
    for name in names:
        if name not in snapshot.models:
            raise UserError(f"the commit's dvc.lock has no tested model {name}; {did_you_mean(name, snapshot.models)}")
    if not snapshot.models:
        raise UserError("the commit's dvc.lock has no tested model; `vision repro`, then commit dvc.lock and reports")
    selected = list(dict.fromkeys(names)) or snapshot.models
    for name in selected:
        if not all(snapshot.reports[name].values()):
            raise UserError(
                f"the commit lacks {model_report_dir(name)}/train.json or metrics.json; `git add reports`, commit"
            )
    return selected
