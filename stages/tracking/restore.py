"""A run that is made again from what DVC kept of a training."""

from pathlib import Path
from typing import Any

from stages.project.console import Refusal
from stages.project.files import read_json
from stages.project.nested import flat
from stages.tracking.absent import absent
from stages.tracking.lineage import RAN_ON
from stages.tracking.records import training
from stages.tracking.run import Run
from stages.tracking.search import create
from stages.tracking.secrets import masked
from stages.tracking.store import Store

# of train.json, as `train` tags them
_FACTS = ("key", "code", "dataset", "data", "provenance", "synthetic", "synthetic_images", *RAN_ON)


def restored(
    store: Store,
    settings: dict[str, Any],
    reports: Path,
    inputs: Path | None,
    tags: dict[str, str] | None = None,
    unfinished: str | None = None,
) -> str:
    """The id of a finished run with a training's params, history, files, data and lineage.

    Args:
        store: to make it in.
        settings: that the model was trained with.
        reports: the folder of its reports.
        inputs: the folder of the data that it was trained on, None where that is not at hand.
        tags: more of them.
        unfinished: the id of the training's own run, which is completed; None where one is to be made.

    Raises:
        Refusal: `train.json` is missing, or the store failed.
    """
    report = read_json(reports / "train.json")
    facts = {fact: report[fact] for fact in _FACTS if fact in report}
    marks = {"restored": "true", **facts, **(tags or {})}
    run = Run(store, unfinished or create(store, {"model": settings["name"]}, marks))
    run.params(flat(settings))
    if inputs and (inputs / "dataset.json").exists():
        run.dataset(inputs)
    run.record(absent(store.client, str(run.id), training(reports)))
    run.finish("FINISHED")
    if run.id is None or not run.settle():
        raise Refusal(f"the run of {settings['name']} was not restored: MLflow's store {masked(store.uri)} failed")
    return run.id
