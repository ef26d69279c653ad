"""The life of a model's MLflow run: started by train, reopened by evaluate and export, restored from reports.

There is one run for each model and key. A training that is resumed has the run that it began in.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vision_pipeline.core.dicts import flatten_dict
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.logging import logger
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

# fields of train.json that `train` logs as tags, too
_TAG_FIELDS = ("key", "code", "dataset", "data", "provenance", "synthetic", "synthetic_images", *HARDWARE_FIELDS)


@contextmanager
def train_run(
    name: str,
    settings: dict[str, Any],
    inputs: Path,
    tags: dict[str, Any],
    *,
    has_state: bool = False,
    kind: str = "model",
    progress_metric: str = "val_accuracy",
    parent: str | None = None,
    rank: int = 0,
) -> Iterator[Run]:
    """Yield the run of a training; its status says how the block ended.

    A run of the same key that was killed or failed is resumed, because its training is.

    Args:
        name: name of the model or generator.
        settings: everything that it is trained with, logged as params.
        inputs: the data set's folder.
        tags: the training's `key` and more that runs are filtered by, logged as tags.
        has_state: the training's state exists: it may have finished without DVC having noted it.
        kind: "model" or "generator".
        progress_metric: the metric whose steps are the epochs or steps that were logged before.
        parent: id of the run of the same model's training with its first seed, where this is with another one.
        rank: rank of this process in a distributed training; rank 0 alone tracks.
    """
    if rank:
        yield Run(None, None)
        return
    store = _open_store_or_report()
    run = Run(store, None)
    if store:
        run_tags = tags | parent_tags(parent, name, settings["seed"])
        run.submit(
            "the run",
            lambda client: _start_or_resume(
                run, store, {kind: name}, run_tags, has_state=has_state, progress_metric=progress_metric
            ),
        )
        _log_inputs(run, settings, inputs)
    run.trial = current_trial(name, tags["key"]) if kind == "model" and not parent else None
    try:
        yield run
    except BaseException as error:
        run.finish("KILLED" if isinstance(error, (Interrupted, KeyboardInterrupt)) else "FAILED")
        raise
    run.finish("FINISHED")


def _log_inputs(run: Run, settings: dict[str, Any], inputs: Path) -> None:
    """Log params, data set and uncommitted changes of a training; a resumed one has its data set already."""
    run.log_params(flatten_dict(settings))
    if not run.logged_epochs:
        run.log_dataset(inputs)
    if diff := uncommitted_diff():
        run.log_text("lineage/uncommitted.diff", diff)


def _open_store_or_report() -> Store | None:
    """Open the store; where it cannot be opened, warn and return None, as where TRACKING is off."""
    if tracking_mode() == "off":
        return None
    try:
        return open_store()
    except Exception as error:
        report_lost("this stage", error)
        return None


def _start_or_resume(
    run: Run, store: Store, subject: dict[str, str], tags: dict[str, Any], *, has_state: bool, progress_metric: str
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
        logger.debug(f"MLflow: new run {run.id} of {name}, key {tags['key']}")
        return
    run.id = earlier_runs[0].info.run_id
    store.client.update_run(run.id, status="RUNNING")
    resume_tags = {"resumed": "true"} | ({PRUNED: "false"} if PRUNED in earlier_runs[0].data.tags else {})
    send_tags(store.client, run.id, lineage_tags() | lock_tag(tags["key"]) | resume_tags)
    history = store.client.get_metric_history(run.id, progress_metric)
    run.logged_epochs = max((point.step for point in history), default=0)
    logger.debug(f"MLflow: run {run.id} of {name} is resumed after step {run.logged_epochs}, key {tags['key']}")


@contextmanager
def reopen_run(name: str) -> Iterator[Run]:
    """Yield the finished run of a trained model, found by its key.

    A model that DVC restored from its cache has no run here: one is made from what DVC kept of the training.
    """
    store = _open_store_or_report()
    run = Run(store, None)
    if store:
        _reopen_in_store(run, store, MODELS / name, model_report_dir(name))
        run.submit("tags", lambda client: send_tags(client, run.id, md5_tags(read_workspace_lock(), name)))
    with flushing(run):
        yield run


@contextmanager
def reopen_seed_run(name: str, seed: int, parent: Run) -> Iterator[Run]:
    """Yield the finished run of the training with one more seed, below `parent`, the run of the first seed."""
    store = _open_store_or_report() if parent.id else None
    run = Run(store, None)
    if store:
        folder = seed_dir(name, seed)
        _reopen_in_store(run, store, folder, folder, parent=parent.id)
    with flushing(run):
        yield run


@contextmanager
def reopen_generator_run(name: str) -> Iterator[Run]:
    """Yield the finished run of a generator; one that DVC restored from its cache has no run, and logs nothing."""
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


def _reopen_in_store(run: Run, store: Store, folder: Path, reports: Path, *, parent: str | None = None) -> None:
    training = read_json(folder / "training.json")

    def find(client: Any) -> None:
        with file_lock(f"run-{training['key']}"):
            run.id = find_or_restore(store, training, reports, parent)

    run.submit("the run", find)
    run.set_tags(experiment_tag())


@contextmanager
def flushing(run: Run) -> Iterator[None]:
    """At the end of the block, send again what the store could not take inside it."""
    try:
        yield
    finally:
        run.flush()


def find_or_restore(store: Store, training: dict[str, Any], reports: Path, parent: str | None = None) -> str:
    """Return the id of the newest finished run of a training, or of one completed or made from its reports.

    A run is left open where the store was away when the training ended.

    Args:
        store: store to search.
        training: content of the training's `training.json`.
        reports: folder of its reports.
        parent: id of the run of the same model's training with its first seed, where this is with another one.

    Raises:
        UserError: `train.json` is missing, or the store failed.
    """
    settings = training["settings"]
    inputs, child_tags = DATA / settings["model"]["inputs"], parent_tags(parent, settings["name"], settings["seed"])
    key = training["key"]
    if run_ids := finished_run_ids(store, key):
        return run_ids[0]
    stale_run_id = next(iter(stale_run_ids(store, key)), None)
    return restore_run(store, settings, reports, inputs, tags=child_tags, stale_run_id=stale_run_id)


def restore_run(
    store: Store,
    settings: dict[str, Any],
    reports: Path,
    inputs: Path | None,
    *,
    tags: dict[str, str] | None = None,
    stale_run_id: str | None = None,
) -> str:
    """Return the id of a finished run that has a training's params, history, files, data and lineage.

    Args:
        store: store of the run.
        settings: settings that the model was trained with.
        reports: folder of its reports.
        inputs: folder of the data that it was trained on, None where that is not at hand.
        tags: more tags of a new run.
        stale_run_id: id of the training's own run, which is completed; None where a run is to be made.

    Raises:
        UserError: `train.json` is missing, or the store failed.
    """
    report = read_json(reports / "train.json")
    report_tags = {field: report[field] for field in _TAG_FIELDS if field in report}
    run_tags = {"restored": "true", **report_tags, **(tags or {})}
    run = Run(store, stale_run_id or create_run(store, {"model": settings["name"]}, run_tags))
    logger.debug(f"MLflow: run {run.id} of {settings['name']} is restored from {reports}")
    run.log_params(flatten_dict(settings))
    if inputs and (inputs / "dataset.json").exists():
        run.log_dataset(inputs)
    run.log_record(missing_from_run(store.client, str(run.id), training_record(reports)))
    run.finish("FINISHED")
    if run.id is None or not run.flush():
        raise UserError(f"the run of {settings['name']} was not restored: MLflow's store {redact(store.uri)} failed")
    return run.id


def log_evaluation(name: str, settings: dict[str, Any], metrics_by_seed: Sequence[dict[str, Any]]) -> None:
    """Log what `evaluate` has written of a model, and the test metrics of its further seeds.

    Args:
        name: name of the model.
        settings: settings that it was tested with.
        metrics_by_seed: `seed`, `accuracy` and `loss` of each further seed.
    """
    with reopen_run(name) as run:
        run.log_record(evaluation_record(model_report_dir(name), settings))
    for metrics in metrics_by_seed:
        with reopen_seed_run(name, metrics["seed"], run) as seed_run:
            seed_run.log_record(seed_evaluation_record(metrics))
