"""Runs in the store: created, searched by training, and closed when their process is gone."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from vision_pipeline.core.locks import holds_lock, is_locked, lock_path
from vision_pipeline.core.logging import logger
from vision_pipeline.tracking.lineage import lineage_tags
from vision_pipeline.tracking.store import Store

_TAG_NAMES = {"key": "pipeline.key"}  # `key` alone would say little in a table of runs
RUN_NAME_TAG = "mlflow.runName"
_LOCK_TAG = "host.lock"  # lock that a run's process holds: its file's inode, a space, its path
_MAX_SILENCE_MS = 24 * 3600 * 1000  # a day; the host name of a container is gone with it
_MAX_RESULTS = 50_000  # MLflow's own limit; its default is 1,000


def create_run(store: Store, subject: dict[str, str], extra_tags: dict[str, Any]) -> str:
    """Create a run and return its id.

    Args:
        store: store of the run.
        subject: kind and name of what is trained, such as {"model": "mnist-cnn"}.
        extra_tags: more tags, which runs are filtered by; `key` becomes the tag `pipeline.key`.
    """
    tags = lineage_tags() | lock_tag(extra_tags.get("key", "")) | subject
    tags |= {_TAG_NAMES.get(key, key): str(value) for key, value in extra_tags.items()}
    (name,) = subject.values()
    title = tags.pop(RUN_NAME_TAG, name)
    return store.client.create_run(store.experiment_id, tags=tags, run_name=title).info.run_id


def lock_tag(key: str) -> dict[str, str]:
    """Return a tag for a run of the training `key`: the lock that this process holds while the run is open."""
    for name in filter(holds_lock, (f"train-{key}", f"run-{key}")):
        file = lock_path(name)
        return {_LOCK_TAG: f"{file.stat().st_ino} {file}"}
    return {}


def parent_tags(parent: str | None, name: str, seed: int) -> dict[str, str]:
    """Return tags that put the run of a further seed below `parent`, the run of the first; none without a parent."""
    return {"mlflow.parentRunId": parent, RUN_NAME_TAG: f"{name}, seed {seed}"} if parent else {}


def search_runs(store: Store, condition: str) -> list[Any]:
    """Return the runs of the project's experiment, newest first.

    Args:
        store: store to search.
        condition: condition on the runs, in MLflow's grammar; "" for all.
    """
    order = ["attributes.start_time DESC"]
    return list(store.client.search_runs([store.experiment_id], condition, max_results=_MAX_RESULTS, order_by=order))


def finished_run_ids(store: Store, key: str) -> list[str]:
    """Return the ids of the finished runs of the training `key`, newest first."""
    matches = search_runs(store, f"tags.`pipeline.key` = '{key}' and attributes.status = 'FINISHED'")
    return [run.info.run_id for run in matches]


def stale_run_ids(store: Store, key: str) -> list[str]:
    """Return the ids of the training's runs that are RUNNING, but whose process is gone; newest first."""
    return [run.info.run_id for run in find_running_runs(store, key) if _is_dead(store, run)]


def find_running_runs(store: Store, key: str) -> list[Any]:
    """Return the training's runs with status RUNNING, newest first."""
    return search_runs(store, f"tags.`pipeline.key` = '{key}' and attributes.status = 'RUNNING'")


def training_host(store: Store, key: str) -> str:
    """Return the host that trains `key` now, as far as can be seen from here; empty where none does."""
    hosts = [run.data.tags.get("host", "?") for run in find_running_runs(store, key) if not _is_dead(store, run)]
    return next(iter(hosts), "")


def close_dead_runs(store: Store, condition: str = "") -> int:
    """Close the runs as KILLED whose process was killed before it could do so.

    Args:
        store: store to search.
        condition: condition on the runs, in MLflow's grammar.

    Returns:
        The number of runs closed.
    """
    run_ids = find_dead_runs(store, condition)
    if run_ids:
        logger.debug(f"MLflow: runs whose process is gone, closed as KILLED: {', '.join(run_ids)}")
    for run_id in run_ids:
        store.client.set_terminated(run_id, "KILLED")
    return len(run_ids)


def find_dead_runs(store: Store, condition: str = "") -> list[str]:
    """Return the ids of the runs with status RUNNING whose process is gone."""
    candidates = search_runs(
        store, " and ".join([part for part in (condition, "attributes.status = 'RUNNING'") if part])
    )
    return [run.info.run_id for run in candidates if _is_dead(store, run)]


def _is_dead(store: Store, run: Any) -> bool:
    """Return whether a run's process is gone, or where that cannot be seen, whether it has logged nothing for a day.

    The kernel knows a lock in every container of the machine; a process has another number in each container.
    """
    tags = run.data.tags
    if tags.get("host") == socket.gethostname():
        lock_held = (
            _is_lock_held(tags[_LOCK_TAG]) if _LOCK_TAG in tags else process_exists(int(tags.get("host.pid", 0)))
        )
        if lock_held is not None:
            return not lock_held
    timestamps = [store.client.get_metric_history(run.info.run_id, name)[-1].timestamp for name in run.data.metrics]
    return time.time() * 1000 - max([run.info.start_time, *timestamps]) > _MAX_SILENCE_MS


def _is_lock_held(lock: str) -> bool | None:
    """Return whether another process holds the lock that a tag names; None where the lock cannot be seen from here.

    The folder may have moved, or have another name in this container: the file is recognized by its inode.
    """
    inode, _, path = lock.partition(" ")
    local_file = lock_path(Path(path).name)
    for candidate in (local_file, Path(path)):
        try:
            if candidate.is_file() and str(candidate.stat().st_ino) == inode:
                return is_locked(candidate) and not (candidate == local_file and holds_lock(local_file.name))
        except PermissionError:  # another user's
            continue
    return None


def process_exists(pid: int) -> bool:
    """Return whether a process of this machine exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
