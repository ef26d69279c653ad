"""Repair of MLflow's database after its repository was copied or moved: it names artifacts by the former folder."""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root

ARTIFACTS = "mlartifacts"  # the folder beside the database
_SQLITE_TIMEOUT_S = 60  # SQLite waits so long while another process writes
# MLflow's columns with the addresses of files; no other column has a path of the repository
_PATH_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)


def repoint_database(file: Path) -> None:
    """Make a SQLite database in the repository's root name the artifacts here, and report it where it did not."""
    for old in find_former_roots(file):
        here = file.resolve().parent
        with closing(sqlite3.connect(file, timeout=_SQLITE_TIMEOUT_S)) as database, database:
            counts = {
                table: _repoint_column(database, table, column, old=old, here=here) for table, column in _PATH_COLUMNS
            }
            recorded_dirs = list(_iter_recorded_dirs(database, here))
        logger.info(f"this repository was at {old}; its MLflow runs ({counts['runs']}) now point to {ARTIFACTS} here")
        if missing := _describe_missing(recorded_dirs, old, here):
            logger.warning(missing)


def find_former_roots(file: Path) -> list[Path]:
    """Return the folders in which this repository was when a SQLite database in its root was written to.

    A database elsewhere may be shared, and is left as it is. So is an artifact folder that somebody has chosen: it
    exists, belongs to no repository of this project, and no run of it has its files here.
    """
    here = file.resolve().parent
    if here != repo_root() or not file.exists():
        return []
    former = []
    with closing(
        sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=_SQLITE_TIMEOUT_S)
    ) as database:
        for root, address in _iter_recorded_roots(database):
            if not _is_same_folder(root, here) and (
                not _is_custom_location(root) or _has_run_files(database, address, here)
            ):
                former.append(root)
    return former


def _iter_recorded_roots(database: sqlite3.Connection) -> Iterator[tuple[Path, str]]:
    """Yield the folders whose artifact folder an experiment has, and its address."""
    for (address,) in database.execute("SELECT DISTINCT artifact_location FROM experiments"):
        path = Path(unquote(urlsplit(address or "").path))
        if str(address).startswith("file:") and path.name == ARTIFACTS:
            yield path.parent, address


def _is_same_folder(root: Path, here: Path) -> bool:
    """Return whether two paths are one folder, perhaps by a link."""
    return _exists(root) and root.samefile(here)


def _is_custom_location(root: Path) -> bool:
    return _exists(root / ARTIFACTS) and not _exists(root / "dvc.yaml")


def _exists(path: Path) -> bool:
    """Return whether a path exists for this user, who may lack access to another user's folder."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _has_run_files(database: sqlite3.Connection, address: str, here: Path) -> bool:
    query = "SELECT run_uuid FROM runs JOIN experiments USING (experiment_id) WHERE artifact_location = ?"
    return any((here / ARTIFACTS / run).exists() for (run,) in database.execute(query, [address]))


def _repoint_column(database: sqlite3.Connection, table: str, column: str, *, old: Path, here: Path) -> int:
    """Replace one folder by another in the addresses and paths of a column; return how many were replaced."""
    count = 0
    for before, after in ((f"{old.as_uri()}/", f"{here.as_uri()}/"), (f"{old}/", f"{here}/")):
        query = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
        count += database.execute(query, [after, len(before) + 1, len(before), before]).rowcount
    return count


def _iter_recorded_dirs(database: sqlite3.Connection, here: Path) -> Iterator[Path]:
    """Yield the folders of the runs' and models' files, relative to `here`."""
    query = "SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM logged_models"
    for (address,) in database.execute(query):
        path = Path(unquote(urlsplit(address or "").path))
        if path.is_relative_to(here):
            yield path.relative_to(here)


def _describe_missing(recorded_dirs: list[Path], old: Path, here: Path) -> str:
    """Return a warning of files that did not come along; empty where none is known to be missing."""
    left_behind = [path for path in recorded_dirs if _exists(old / path) and not _exists(here / path)]
    if left_behind:
        fix = f"`cp -rn {shlex.quote(str(old / ARTIFACTS))} .` brings them"
        return f"the files of {len(left_behind)} MLflow runs and models are still in {old / ARTIFACTS}; {fix}"
    if recorded_dirs and not (here / ARTIFACTS).exists():
        return f"{ARTIFACTS} did not come along, and is gone there; `vision sync` logs again what DVC has of it"
    return ""
