"""Runs in the store: made, found by what they are of, and closed when their process is gone."""

import os
import socket
import time
from pathlib import Path
from typing import Any

from stages.project.locks import is_held, is_own, lock_file
from stages.tracking.lineage import lineage_tags
from stages.tracking.store import Store

# `key` alone would say little in a table of runs
_TAGS = {"key": "pipeline.key"}
TITLE = "mlflow.runName"
_LOCK = "host.lock"  # the lock that a run's process holds: its file's inode, a space, its path
_SILENCE = 24 * 3600 * 1000  # milliseconds; a container that is gone has taken its host's name with it
_ALL = 50_000  # MLflow's own limit; unless told it gives a thousand


def create(store: Store, named: dict[str, str], facts: dict[str, Any]) -> str:
    """The id of a new run.

    Args:
        store: to make it in.
        named: what it is of, such as {"model": "mnist-cnn"}.
        facts: that runs are filtered by; its `key` becomes the tag `pipeline.key`.
    """
    tags = lineage_tags() | lock_tag(facts.get("key", "")) | named
    tags |= {_TAGS.get(fact, fact): str(value) for fact, value in facts.items()}
    (name,) = named.values()
    title = tags.pop(TITLE, name)
    return store.client.create_run(store.experiment_id, tags=tags, run_name=title).info.run_id


def lock_tag(key: str) -> dict[str, str]:
    """Return, as a tag of a run of the training `key`, the lock that this process holds while the run is open."""
    for name in filter(is_own, (f"train-{key}", f"run-{key}")):
        file = lock_file(name)
        return {_LOCK: f"{file.stat().st_ino} {file}"}
    return {}


def child_of(parent: str | None, name: str, seed: int) -> dict[str, str]:
    """Facts of the run of a model's training with one more seed, below that with the first; else none."""
    return {"mlflow.parentRunId": parent, TITLE: f"{name}, seed {seed}"} if parent else {}


def runs(store: Store, condition: str) -> list[Any]:
    """Runs of the project's experiment, newest first."""
    newest = ["attributes.start_time DESC"]
    return list(store.client.search_runs([store.experiment_id], condition, max_results=_ALL, order_by=newest))


def finished(store: Store, key: str) -> list[str]:
    """The ids of the finished runs of a training, newest first."""
    found = runs(store, f"tags.`pipeline.key` = '{key}' and attributes.status = 'FINISHED'")
    return [run.info.run_id for run in found]


def left_open(store: Store, key: str) -> list[str]:
    """The ids of a training's runs that say they are running, whose process is gone; newest first."""
    return [run.info.run_id for run in running(store, key) if _dead(store, run)]


def running(store: Store, key: str) -> list[Any]:
    """A training's runs that say they are running, newest first."""
    return runs(store, f"tags.`pipeline.key` = '{key}' and attributes.status = 'RUNNING'")


def being_trained(store: Store, key: str) -> str:
    """The host that trains `key` now, as far as can be told from here; empty where none does."""
    alive_ones = [run.data.tags.get("host", "?") for run in running(store, key) if not _dead(store, run)]
    return next(iter(alive_ones), "")


def close_dead_runs(store: Store, among: str = "") -> int:
    """How many runs were closed as KILLED: their process was killed outright and could not say so.

    Args:
        store: to look in.
        among: a condition on the runs, in MLflow's grammar.
    """
    dead = dead_runs(store, among)
    for run_id in dead:
        store.client.set_terminated(run_id, "KILLED")
    return len(dead)


def dead_runs(store: Store, among: str = "") -> list[str]:
    """The ids of the runs that `close_dead_runs` would close."""
    open_ones = runs(store, " and ".join([one for one in (among, "attributes.status = 'RUNNING'") if one]))
    return [run.info.run_id for run in open_ones if _dead(store, run)]


def _dead(store: Store, run: Any) -> bool:
    """Return whether a run's process is gone, or where that cannot be seen, whether it has logged nothing for a day.

    The kernel answers for a lock in every container of the machine; a process has another number in each of them.
    """
    tags = run.data.tags
    if tags.get("host") == socket.gethostname():
        held = _held(tags[_LOCK]) if _LOCK in tags else alive(int(tags.get("host.pid", 0)))
        if held is not None:
            return not held
    logged = [store.client.get_metric_history(run.info.run_id, name)[-1].timestamp for name in run.data.metrics]
    return time.time() * 1000 - max([run.info.start_time, *logged]) > _SILENCE


def _held(lock: str) -> bool | None:
    """Return whether another process holds the lock that a tag names; None where it is not to be seen from here.

    The folder may have moved, or be called otherwise in this container: the file is told by its inode.
    """
    inode, _, path = lock.partition(" ")
    own = lock_file(Path(path).name)
    for file in (own, Path(path)):
        try:
            if file.is_file() and str(file.stat().st_ino) == inode:
                return is_held(file) and not (file == own and is_own(own.name))
        except PermissionError:  # another user's
            continue
    return None


def alive(pid: int) -> bool:
    """Whether a process of this machine is there."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
