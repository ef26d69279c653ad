"""One MLflow run per model and key: made by train, found again by evaluate and export."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stages.project.files import read_json
from stages.project.locks import exclusive
from stages.project.nested import flat
from stages.project.paths import DATA, MODELS, SYNTHETIC, model_report, seed_folder
from stages.project.stopping import Stopped
from stages.tracking.calls import set_tags
from stages.tracking.dvc_lock import lock_tags, workspace_lock
from stages.tracking.failures import give_up
from stages.tracking.lineage import experiment_mark, lineage_tags, uncommitted
from stages.tracking.pruning import PRUNED, watched
from stages.tracking.restore import restored
from stages.tracking.run import Run
from stages.tracking.search import child_of, close_dead_runs, create, finished, left_open, lock_tag, runs
from stages.tracking.store import Store, mode, open_store


def _opened() -> Store | None:
    if mode() == "off":
        return None
    try:
        return open_store()
    except Exception as error:
        give_up("this stage", error)
        return None


@contextmanager
def train_run(
    name: str,
    settings: dict[str, Any],
    inputs: Path,
    facts: dict[str, Any],
    again: bool = False,
    kind: str = "model",
    counted_by: str = "val_accuracy",
    parent: str | None = None,
    rank: int = 0,
) -> Iterator[Run]:
    """The run of a training; its status tells how the block ended.

    A run of the same key that was killed or failed is gone on with, for its training is.

    Args:
        name: of the model or generator.
        settings: everything that it is trained with, logged as params.
        inputs: the data set's folder.
        facts: its `key` and more that runs are filtered by, logged as tags.
        again: the training's state is at hand: it may have finished, and DVC not have taken note.
        kind: what it is that is trained: "model" or "generator".
        counted_by: the metric that tells which epochs or steps were logged before.
        parent: the run of the same model's training with its first seed, where this is with another.
        rank: of several that train together, of which the first alone tracks.
    """
    if rank:
        yield Run(None, None)
        return
    store = _opened()
    run = Run(store, None)
    if store:
        marks = facts | child_of(parent, name, settings["seed"])
        run.do("the run", lambda client: _begin(run, store, {kind: name}, marks, again, counted_by))
        run.params(flat(settings))
        if not run.epochs:
            run.dataset(inputs)
        if difference := uncommitted():
            run.text("lineage/uncommitted.diff", difference)
    run.trial = watched(name, facts["key"]) if kind == "model" and not parent else None
    try:
        yield run
    except BaseException as error:
        run.finish("KILLED" if isinstance(error, (Stopped, KeyboardInterrupt)) else "FAILED")
        raise
    run.finish("FINISHED")


@contextmanager
def attach(name: str) -> Iterator[Run]:
    """The finished run of a trained model, found by its key.

    A model that DVC restored from its cache has no run here: it is made again from what DVC kept of it.
    """
    store = _opened()
    run = Run(store, None)
    if store:
        _attach(run, store, MODELS / name, model_report(name), None)
        run.do("tags", lambda client: set_tags(client, run.id, lock_tags(workspace_lock(), name)))
    with settled(run):
        yield run


@contextmanager
def attach_seed(name: str, seed: int, parent: Run) -> Iterator[Run]:
    """The same for the training with one more seed, below `parent`, the run of that with the first."""
    store = _opened() if parent.id else None
    run = Run(store, None)
    if store:
        folder = seed_folder(name, seed)
        _attach(run, store, folder, folder, parent.id)
    with settled(run):
        yield run


def _attach(run: Run, store: Store, folder: Path, reports: Path, parent: str | None) -> None:
    training = read_json(folder / "training.json")

    def find(client: Any) -> None:
        with exclusive(f"run-{training['key']}"):
            run.id = found_or_restored(store, training, reports, parent)

    run.do("the run", find)
    run.tags(experiment_mark())


@contextmanager
def settled(run: Run) -> Iterator[None]:
    """What the store could not take inside the block is tried again at its end."""
    try:
        yield
    finally:
        run.settle()


@contextmanager
def attach_generator(name: str) -> Iterator[Run]:
    """The finished run of a generator; one that DVC restored from its cache has none here, and logs nothing."""
    store = _opened()
    run = Run(store, None)
    if store:
        training = read_json(SYNTHETIC / name / "training.json")
        run.do("the run", lambda client: setattr(run, "id", next(iter(finished(store, training["key"])), None)))
        run.settle()
    with settled(run):
        yield run if run.id else Run(None, None)


def found_or_restored(store: Store, training: dict[str, Any], reports: Path, parent: str | None = None) -> str:
    """The id of the newest finished run of a `training.json`, or of one completed or made from its reports.

    A run is left open where the store was away when the training ended.

    Raises:
        Refusal: as `restored`.
    """
    settings = training["settings"]
    inputs, more = DATA / settings["model"]["inputs"], child_of(parent, settings["name"], settings["seed"])
    key = training["key"]
    if found := finished(store, key):
        return found[0]
    return restored(store, settings, reports, inputs, more, next(iter(left_open(store, key)), None))


def _begin(run: Run, store: Store, named: dict[str, str], facts: dict[str, Any], again: bool, counted_by: str) -> None:
    """Give `run` the id of an unfinished run of the same key, or of a new one."""
    ((kind, name),) = named.items()
    close_dead_runs(store, f"tags.{kind} = '{name}'")
    ended = {"KILLED", "FAILED"} | ({"FINISHED"} if again else set())
    before = [one for one in runs(store, f"tags.`pipeline.key` = '{facts['key']}'") if one.info.status in ended]
    if not before:
        run.id = create(store, named, facts)
        return
    run.id = before[0].info.run_id
    store.client.update_run(run.id, status="RUNNING")
    marks = {"resumed": "true"} | ({PRUNED: "false"} if PRUNED in before[0].data.tags else {})
    set_tags(store.client, run.id, lineage_tags() | lock_tag(facts["key"]) | marks)
    history = store.client.get_metric_history(run.id, counted_by)
    run.epochs = max((point.step for point in history), default=0)
