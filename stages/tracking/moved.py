"""A repository that was copied or moved: its database names the artifacts by the folder that it was in before."""

import shlex
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stages.project.console import say, warn
from stages.project.paths import home

ARTIFACTS = "mlartifacts"  # the folder beside the database
_SECONDS = 60  # that SQLite waits while another process writes
# MLflow's columns that say where files are; no other column has a path of the repository
_COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
    ("trace_tags", "value"),
)


def follow(file: Path) -> None:
    """Have a SQLite database in the repository's root name the artifacts here, and say so where it did not."""
    for old in former_places(file):
        here = file.resolve().parent
        with closing(sqlite3.connect(file, timeout=_SECONDS)) as database, database:
            counts = {table: _repoint(database, table, column, old, here) for table, column in _COLUMNS}
            recorded = list(_recorded(database, here))
        say(f"this repository was at {old}; its MLflow runs ({counts['runs']}) now point to {ARTIFACTS} here")
        if missing := _missing(recorded, old, here):
            warn(missing)


def former_places(file: Path) -> list[Path]:
    """Return the folders in which this repository was when a SQLite database in its root was written to.

    A database elsewhere may be shared, and is left as it is. So is an artifact folder that somebody has chosen:
    it exists, belongs to no repository of this project, and no run of it has its files here.
    """
    here = file.resolve().parent
    if here != home() or not file.exists():
        return []
    found = []
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True, timeout=_SECONDS)) as database:
        for place, address in _places(database):
            if not _is_same(place, here) and (not _is_chosen(place) or _has_files_of(database, address, here)):
                found.append(place)
    return found


def _places(database: sqlite3.Connection) -> Iterator[tuple[Path, str]]:
    """Yield the folders whose artifact folder an experiment has, and its address."""
    for (address,) in database.execute("SELECT DISTINCT artifact_location FROM experiments"):
        path = Path(unquote(urlsplit(address or "").path))
        if str(address).startswith("file:") and path.name == ARTIFACTS:
            yield path.parent, address


def _is_same(place: Path, here: Path) -> bool:
    """Return whether two paths are one folder, as by a link."""
    return _is_there(place) and place.samefile(here)


def _is_chosen(place: Path) -> bool:
    return _is_there(place / ARTIFACTS) and not _is_there(place / "dvc.yaml")


def _is_there(path: Path) -> bool:
    """Return whether a path exists for this user, who may not look into the folder of another one."""
    try:
        return path.exists()
    except PermissionError:
        return False


def _has_files_of(database: sqlite3.Connection, address: str, here: Path) -> bool:
    query = "SELECT run_uuid FROM runs JOIN experiments USING (experiment_id) WHERE artifact_location = ?"
    return any((here / ARTIFACTS / run).exists() for (run,) in database.execute(query, [address]))


def _repoint(database: sqlite3.Connection, table: str, column: str, old: Path, here: Path) -> int:
    """Replace one folder by another in the addresses and paths of a column; return how many that were."""
    count = 0
    for before, after in ((f"{old.as_uri()}/", f"{here.as_uri()}/"), (f"{old}/", f"{here}/")):
        query = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?"
        count += database.execute(query, [after, len(before) + 1, len(before), before]).rowcount
    return count


def _recorded(database: sqlite3.Connection, here: Path) -> Iterator[Path]:
    """Yield the folders of the runs' and models' files, relative to `here`."""
    query = "SELECT artifact_uri FROM runs UNION SELECT artifact_location FROM logged_models"
    for (address,) in database.execute(query):
        path = Path(unquote(urlsplit(address or "").path))
        if path.is_relative_to(here):
            yield path.relative_to(here)


def _missing(recorded: list[Path], old: Path, here: Path) -> str:
    """Return what to say of files that did not come along; empty where none is known to be missing."""
    left = [path for path in recorded if _is_there(old / path) and not _is_there(here / path)]
    if left:
        fix = f"`cp -rn {shlex.quote(str(old / ARTIFACTS))} .` brings them"
        return f"the files of {len(left)} MLflow runs and models are still in {old / ARTIFACTS}; {fix}"
    if recorded and not (here / ARTIFACTS).exists():
        return f"{ARTIFACTS} did not come along, and is gone there; `vision sync` logs again what DVC has of it"
    return ""
