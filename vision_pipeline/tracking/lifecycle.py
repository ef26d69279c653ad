"""One MLflow run per model and key: made by train, found again by evaluate and export."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision_pipeline.core.dicts import flatten_dict
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.paths import DATA, MODELS, SYNTHETIC, model_report_dir, seed_dir
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.tracking.lineage import HARDWARE_FIELDS, experiment_tag, lineage_tags, uncommitted_diff
from vision_pipeline.tracking.optuna_trial import PRUNED, current_trial
from vision_pipeline.tracking.records import (
    evaluation_record,
    missing_from_run,
    seed_evaluation_record,
    training_record,
)
from vision_pipeline.tracking.run import Run, report_lost, send_tags
from vision_pipeline.tracking.search import (
    close_dead_runs,
    create_run,
    finished_run_ids,
    lock_tag,
    parent_tags,
    search_runs,
    stale_run_ids,
)
from vision_pipeline.tracking.secrets import redact
from vision_pipeline.tracking.store import Store, open_store, tracking_mode
from vision_pipeline.vcs.dvc_lock import md5_tags, read_workspace_lock


def _open_store_or_report() -> Store | None:
    if tracking_mode() == "off":
        return None
    try:
        return open_store()
    except Exception as error:
        report_lost("this stage", error)
        return None


@contextmanager
def train_run(
    name: str,
    settings: dict[str, Any],
    inputs: Path,
    tags: dict[str, Any],
    has_state: bool = False,
    kind: str = "model",
    progress_metric: str = "val_accuracy",
    parent: str | None = None,
    rank: int = 0,
) -> Iterator[Run]:
    """The run of a training; its status tells how the block ended.

    A run of the same key that was killed or failed is gone on with, for its training is.

    Args:
        name: of the model or generator.
        settings: everything that it is trained with, logged as params.
        inputs: the data set's folder.
        tags: its `key` and more that runs are filtered by, logged as tags.
        has_state: the training's state is at hand: it may have finished, and DVC not have taken note.
        kind: what it is that is trained: "model" or "generator".
        progress_metric: the metric that tells which epochs or steps were logged before.
        parent: the run of the same model's training with its first seed, where this is with another.
        rank: of several that train together, of which the first alone tracks.
    """
    if rank:
        yield Run(None, None)
        return
    store = _open_store_or_report()
    run = Run(store, None)
    if store:
        run_tags = tags | parent_tags(parent, name, settings["seed"])
        run.submit(
            "the run", lambda client: _start_or_resume(run, store, {kind: name}, run_tags, has_state, progress_metric)
        )
        run.log_params(flatten_dict(settings))
        if not run.logged_epochs:
            run.log_dataset(inputs)
        if diff := uncommitted_diff():
            run.log_text("lineage/uncommitted.diff", diff)
    run.trial = current_trial(name, tags["key"]) if kind == "model" and not parent else None
    try:
        yield run
    except BaseException as error:
        run.finish("KILLED" if isinstance(error, (Interrupted, KeyboardInterrupt)) else "FAILED")
        raise
    run.finish("FINISHED")


@contextmanager
def reopen_run(name: str) -> Iterator[Run]:
    """The finished run of a trained model, found by its key.

    A model that DVC restored from its cache has no run here: it is made again from what DVC kept of it.
    """
    store = _open_store_or_report()
    run = Run(store, None)
    if store:
        _reopen_in_store(run, store, MODELS / name, model_report_dir(name), None)
        run.submit("tags", lambda client: send_tags(client, run.id, md5_tags(read_workspace_lock(), name)))
    with flushing(run):
        yield run


@contextmanager
def reopen_seed_run(name: str, seed: int, parent: Run) -> Iterator[Run]:
    """The same for the training with one more seed, below `parent`, the run of that with the first."""
    store = _open_store_or_report() if parent.id else None
    run = Run(store, None)
    if store:
        folder = seed_dir(name, seed)
        _reopen_in_store(run, store, folder, folder, parent.id)
    with flushing(run):
        yield run


def _reopen_in_store(run: Run, store: Store, folder: Path, reports: Path, parent: str | None) -> None:
    training = read_json(folder / "training.json")

    def find(client: Any) -> None:
        with file_lock(f"run-{training['key']}"):
            run.id = find_or_restore(store, training, reports, parent)

    run.submit("the run", find)
    run.set_tags(experiment_tag())


@contextmanager
def flushing(run: Run) -> Iterator[None]:
    """What the store could not take inside the block is tried again at its end."""
    try:
        yield
    finally:
        run.flush()


@contextmanager
def reopen_generator_run(name: str) -> Iterator[Run]:
    """The finished run of a generator; one that DVC restored from its cache has none here, and logs nothing."""
    store = _open_store_or_report()
    run = Run(store, None)
    if store:
        training = read_json(SYNTHETIC / name / "training.json")
        run.submit(
            "the run", lambda client: setattr(run, "id", next(iter(finished_run_ids(store, training["key"])), None))
        )
        run.flush()
    with flushing(run):
        yield run if run.id else Run(None, None)


def find_or_restore(store: Store, training: dict[str, Any], reports: Path, parent: str | None = None) -> str:
    """The id of the newest finished run of a `training.json`, or of one completed or made from its reports.

    A run is left open where the store was away when the training ended.

    Raises:
        UserError: as `restored`.
    """
    settings = training["settings"]
    inputs, child_tags = DATA / settings["model"]["inputs"], parent_tags(parent, settings["name"], settings["seed"])
    key = training["key"]
    if run_ids := finished_run_ids(store, key):
        return run_ids[0]
    return restore_run(store, settings, reports, inputs, child_tags, next(iter(stale_run_ids(store, key)), None))


def _start_or_resume(
    run: Run, store: Store, subject: dict[str, str], tags: dict[str, Any], has_state: bool, progress_metric: str
) -> None:
    """Give `run` the id of an unfinished run of the same key, or of a new one."""
    ((kind, name),) = subject.items()
    close_dead_runs(store, f"tags.{kind} = '{name}'")
    resumable = {"KILLED", "FAILED"} | ({"FINISHED"} if has_state else set())
    earlier_runs = [
        candidate
        for candidate in search_runs(store, f"tags.`pipeline.key` = '{tags['key']}'")
        if candidate.info.status in resumable
    ]
    if not earlier_runs:
        run.id = create_run(store, subject, tags)
        return
    run.id = earlier_runs[0].info.run_id
    store.client.update_run(run.id, status="RUNNING")
    resume_tags = {"resumed": "true"} | ({PRUNED: "false"} if PRUNED in earlier_runs[0].data.tags else {})
    send_tags(store.client, run.id, lineage_tags() | lock_tag(tags["key"]) | resume_tags)
    history = store.client.get_metric_history(run.id, progress_metric)
    run.logged_epochs = max((point.step for point in history), default=0)


# MERGED A run that is made again from what DVC kept of a training.
# of train.json, as `train` tags them
_TAG_FIELDS = ("key", "code", "dataset", "data", "provenance", "synthetic", "synthetic_images", *HARDWARE_FIELDS)


def restore_run(
    store: Store,
    settings: dict[str, Any],
    reports: Path,
    inputs: Path | None,
    tags: dict[str, str] | None = None,
    stale_run_id: str | None = None,
) -> str:
    """The id of a finished run with a training's params, history, files, data and lineage.

    Args:
        store: to make it in.
        settings: that the model was trained with.
        reports: the folder of its reports.
        inputs: the folder of the data that it was trained on, None where that is not at hand.
        tags: more of them.
        stale_run_id: the id of the training's own run, which is completed; None where one is to be made.

    Raises:
        UserError: `train.json` is missing, or the store failed.
    """
    report = read_json(reports / "train.json")
    report_tags = {field: report[field] for field in _TAG_FIELDS if field in report}
    run_tags = {"restored": "true", **report_tags, **(tags or {})}
    run = Run(store, stale_run_id or create_run(store, {"model": settings["name"]}, run_tags))
    run.log_params(flatten_dict(settings))
    if inputs and (inputs / "dataset.json").exists():
        run.log_dataset(inputs)
    run.log_record(missing_from_run(store.client, str(run.id), training_record(reports)))
    run.finish("FINISHED")
    if run.id is None or not run.flush():
        raise UserError(f"the run of {settings['name']} was not restored: MLflow's store {redact(store.uri)} failed")
    return run.id


# MERGED A test of a model, as its MLflow run and those of its further seeds have it.
def log_evaluation(name: str, settings: dict[str, Any], metrics_by_seed: Sequence[dict[str, Any]]) -> None:
    """Log what `evaluate` has written of a model.

    Args:
        name: of the model.
        settings: that it was tested with.
        metrics_by_seed: of each further seed, its number and its figures.
    """
    with reopen_run(name) as run:
        run.log_record(evaluation_record(model_report_dir(name), settings))
    for metrics in metrics_by_seed:
        with reopen_seed_run(name, metrics["seed"], run) as seed_run:
            seed_run.log_record(seed_evaluation_record(metrics))
