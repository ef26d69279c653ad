"""`vision verify`: are the results that a commit records what its code and data give here?

The doubter needs no trust in the workspace: a clean clone of the commit is made elsewhere, and DVC runs the stages
again there, without its run cache. Of the workspace it takes the data in DVC's cache, whose bytes are hashed anew.
"""

from pathlib import Path
from typing import Annotated

import typer

from stages.commands.pipeline.commit import refuse_without_commit
from stages.commands.verification.clone import clean_clone, run_again
from stages.commands.verification.plan import fetch_or_plan
from stages.commands.verification.record import Record, recorded, recorded_in_git
from stages.commands.verification.text import as_json, table
from stages.commands.verification.verdict import DIFFERENT, judge, judge_data
from stages.params.fields import did_you_mean
from stages.project.console import Refusal, say, warn
from stages.project.files import write_json
from stages.project.paths import model_report


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
    from stages.tracking.experiments import commit_of
    from stages.tracking.git import git

    refuse_without_commit()
    commit = commit_of(rev)
    if git("status", "--porcelain", "--untracked-files=no", "--", "."):
        warn(f"what is not committed is left out: this verifies commit {commit[:12]}")
    kinds = ["evaluate"] if evaluate else ["train", "evaluate"]
    kinds += ["export"] if export else []
    with clean_clone(commit) as root:
        before = recorded_in_git(root)
        names = _asked(models or [], before)
        stages = fetch_or_plan(root, [f"{kind}@{name}" for name in names for kind in kinds], not evaluate)
        run_again(root, stages)
        after = recorded(root)
        data = judge_data(stages, before, after)
        verdicts = [judge(name, kinds, commit, before, after) for name in names]
    how = "tested again from their checkpoints" if evaluate else "trained and tested again"
    say(f"\ncommit {commit}, {how} in a clean clone:")
    say(table(verdicts, data))
    if json_file:
        write_json(json_file, as_json(commit, how, verdicts, data))
    if any(one.status == DIFFERENT for one in verdicts):
        raise typer.Exit(1)


def _asked(names: list[str], record: Record) -> list[str]:
    """The models to verify.

    Raises:
        Refusal: the commit does not record one of them, or none at all.
    """
    for name in names:
        if name not in record.models:
            raise Refusal(f"the commit's dvc.lock has no tested model {name}; {did_you_mean(name, record.models)}")
    if not record.models:
        raise Refusal("the commit's dvc.lock has no tested model; `vision repro`, then commit dvc.lock and reports")
    asked = list(dict.fromkeys(names)) or record.models
    for name in asked:
        if not all(record.reports[name].values()):
            raise Refusal(
                f"the commit lacks {model_report(name)}/train.json or metrics.json; `git add reports`, commit"
            )
    return asked
