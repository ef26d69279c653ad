"""`vision inspect`: where a model comes from, from the source's bytes to its prediction."""

from pathlib import Path
from typing import Annotated, Any

import typer

from stages.project.console import Refusal, say
from stages.project.files import read_json
from stages.project.paths import MODELS


def inspect(
    of: Annotated[str, typer.Argument(help="A checkpoint.pth, a trained model, or an MLflow run's id.")],
) -> None:
    """Print the chain from pixels to prediction, and check it: source, data, training, test, commits and runs."""
    from stages.commands.inspect_chain import chain
    from stages.models.checkpoint import load_checkpoint

    path = _checkpoint(of)
    if path is None:
        _tell_run(of)
        return
    checkpoint = load_checkpoint(path)
    say(f"{path}")
    for title, lines in chain(checkpoint, path):
        for number, line in enumerate(lines):
            say(f"{title if number == 0 else '':12} {line}")


def _checkpoint(of: str) -> Path | None:
    """The checkpoint of a path, a model's name or a run's id; None where the run's is not here."""
    for path in (Path(of), MODELS / of / "checkpoint.pth"):
        if path.is_file():
            return path
    run = _run(of)
    if run is None:
        raise Refusal(f"{of} is neither a checkpoint nor a model in {MODELS}/ nor the id of a run in MLflow")
    return with_key(run.data.tags.get("pipeline.key", ""))


def with_key(key: str) -> Path | None:
    """The checkpoint of the training `key`, where it is here."""
    for about in sorted(MODELS.rglob("training.json")):
        if read_json(about)["key"] == key:
            return about.with_name("checkpoint.pth")
    return None


def _run(of: str) -> Any:
    """The run whose id it is, or begins with it; None where there is none or no store."""
    from stages.tracking.search import runs
    from stages.tracking.store import answering, open_if_there

    if (store := open_if_there()) is None:
        return None
    with answering(store, f"{of} was not looked for"):
        found = [run for run in runs(store, "") if run.info.run_id.startswith(of)]
    if len(found) > 1:
        raise Refusal(f"{of} begins the ids of {len(found)} runs; name more of it")
    return found[0] if found else None


def _tell_run(of: str) -> None:
    """What a run knows of a model that is not here, and how to bring that back."""
    run = _run(of)
    tags, sets = run.data.tags, run.inputs.dataset_inputs
    experiments = [name.removeprefix("dvc.exp.") for name in tags if name.startswith("dvc.exp.")]
    say(f"run {run.info.run_id}, {run.info.run_name}, {run.info.status}; its model is not in {MODELS}/")
    for title, line in {
        "key": tags.get("pipeline.key", "none"),
        "data": ", ".join(f"{one.dataset.name} {one.dataset.digest}" for one in sets) or "unknown",
        "code": f"commit {tags.get('git.commit', 'unknown')}"
        + (", and what lineage/uncommitted.diff of the run says" if tags.get("git.dirty") == "true" else ""),
        "experiments": ", ".join(experiments) or "none",
    }.items():
        say(f"{title:12} {line}")
    if experiments:
        say(f"`dvc exp apply {experiments[0]}` brings the model back")
    else:
        say(f"`git checkout {tags.get('git.commit', 'COMMIT')}` and `dvc checkout`, or `dvc repro`, bring it back")
