"""Checks for what killed processes have left: locks, partial files, git's stash, open runs, damaged databases."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vision_pipeline.cli.doctor.finding import Finding, note, ok, problem
from vision_pipeline.core.files import PARTIAL_FILE_PATTERN
from vision_pipeline.core.locks import is_locked
from vision_pipeline.core.paths import DATA, EXPORTS, MODELS, REPORTS
from vision_pipeline.tracking.search import process_exists
from vision_pipeline.vcs.git import git_or_empty

_DVC_TMP = Path(".dvc/tmp")
_OPTUNA_FILE = Path("optuna.db")
_OUTPUT_DIRS = (DATA, MODELS, EXPORTS, REPORTS, Path(".ckpt"), Path(".cache"))


def check_locks() -> Iterator[Finding]:
    """Check the locks of DVC and of the stages: held by a running process, or left by one that is gone."""
    lock, lock_files = _DVC_TMP / "lock", sorted(_DVC_TMP.glob("locks/*"))
    running = [
        f"{path.name} ({_describe_holder(path)})" for path in (lock, *lock_files) if path.exists() and is_locked(path)
    ]
    if running:
        yield note(f"held, so something runs here: {', '.join(running)}", "wait for it")
    if (dead_pid := _find_dead_holder(lock)) is not None:
        yield problem(
            f"{lock} is of process {dead_pid}, which is gone", f"rm {lock}, unless it runs in another container"
        )
    file = _DVC_TMP / "rwlock"
    try:
        pids = _collect_pids(json.loads(file.read_text(encoding="utf-8") or "{}")) if file.exists() else set()
    except (ValueError, KeyError, TypeError, AttributeError):
        yield problem(f"{file} is damaged, and DVC refuses to go on", f"rm {file}, when no stage runs")
        return
    gone = sorted(pid for pid in pids if not process_exists(pid))
    if gone:
        yield note(f"{file} names processes that are gone ({', '.join(map(str, gone))})", "none needed: DVC drops them")
    elif not running and dead_pid is None:
        yield ok("none is held")


def _describe_holder(path: Path) -> str:
    """Return the process that a lock's file names."""
    text = path.read_text(errors="replace").strip()
    return f"process {text}" if text.isdigit() else "process unknown"


def _find_dead_holder(path: Path) -> int | None:
    """Return the dead process of this host that a lock names as PATH|HOST|PROCESS|NUMBER (`core.hardlink_lock`)."""
    fields = path.read_text(errors="replace").strip().rsplit("|", 3) if path.exists() else []
    if len(fields) < 4 or fields[1] != socket.gethostname() or not fields[2].isdigit():
        return None
    return None if process_exists(int(fields[2])) else int(fields[2])


def _collect_pids(content: dict[str, Any]) -> set[int]:
    """Return the processes in DVC's rwlock: for each path one that writes it, or several that read it."""
    writers = list(content.get("write", {}).values())
    readers = [entry for entries in content.get("read", {}).values() for entry in entries]
    return {int(entry["pid"]) for entry in writers + readers}


def check_partial_files() -> Iterator[Finding]:
    """Check for files and folders with a temporary name whose process is gone; a folder's process is unknown."""
    partial = [path for folder in _OUTPUT_DIRS for path in sorted(folder.rglob(".*.partial")) if _is_abandoned(path)]
    if partial:
        yield note(
            f"half-written: {', '.join(map(str, partial))}", f"when no stage runs: rm -rf {' '.join(map(str, partial))}"
        )
    else:
        yield ok("nothing half-written")


def _is_abandoned(path: Path) -> bool:
    match = PARTIAL_FILE_PATTERN.fullmatch(path.name)
    return match is not None and not (match[1] and process_exists(int(match[1])))


def check_stash() -> Iterator[Finding]:
    """Check git's stash, where `dvc exp run` stores changes, and leaves them when it is killed."""
    entries = git_or_empty("stash", "list").splitlines()
    if entries:
        yield note(
            f"git's stash has {len(entries)}; where `dvc exp` was killed, the first is what you had not committed",
            "`git stash show -p` shows it, `git stash pop` brings it back",
        )
    else:
        yield ok("git's stash is empty")


def check_mlflow() -> Iterator[Finding]:
    """Check that MLflow's store opens, and has no open run of a killed process."""
    from vision_pipeline.tracking.search import find_dead_runs
    from vision_pipeline.tracking.secrets import redact
    from vision_pipeline.tracking.store import open_existing, store_errors

    if former_root := _format_former_roots():
        yield note(
            f"this repository was at {former_root}, where MLflow's database still looks for the runs' files",
            "vision sync, or any other command that opens it, points it to those here",
        )
        return
    store = open_existing()
    if store is None:
        yield ok("no store yet, or TRACKING is off")
        return
    with store_errors(store, "the runs of killed processes cannot be told"):
        dead = find_dead_runs(store)
    if dead:
        yield note(f"{len(dead)} runs are RUNNING, but their process is gone", "vision sync closes them")
    else:
        yield ok(f"{redact(store.uri)} opens")


def _format_former_roots() -> str:
    """Return the former folders of the repository in its database, "" where there are none."""
    from vision_pipeline.tracking.relocation import find_former_roots
    from vision_pipeline.tracking.store import database_file, tracking_mode, tracking_uri

    if tracking_mode() == "off" or (file := database_file(tracking_uri())) is None:
        return ""
    try:
        return ", ".join(map(str, find_former_roots(file)))
    except sqlite3.DatabaseError:  # opening it reports what is wrong
        return ""


def check_optuna() -> Iterator[Finding]:
    """Check that the sweeps' database is whole; it is read without Optuna, which would migrate an old one."""
    if not _OPTUNA_FILE.exists():
        yield ok("no sweep yet")
        return
    try:
        with sqlite3.connect(f"{_OPTUNA_FILE.resolve().as_uri()}?mode=ro", uri=True) as database:
            (whole,) = database.execute("PRAGMA quick_check").fetchone()
            (studies,) = database.execute("SELECT count(*) FROM studies").fetchone()
    except sqlite3.Error as error:
        whole, studies = str(error), 0
    if whole == "ok":
        yield ok(f"{_OPTUNA_FILE} has {studies} sweep{'s' * (studies != 1)}")
    else:
        yield problem(
            f"{_OPTUNA_FILE}: {whole}", f"mv {_OPTUNA_FILE} {_OPTUNA_FILE}.broken; finished trials stay DVC experiments"
        )
