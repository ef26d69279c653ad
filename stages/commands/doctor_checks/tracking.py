"""The databases of runs: MLflow's and Optuna's."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from stages.commands.doctor_checks.finding import Finding, note, ok, problem

_OPTUNA = Path("optuna.db")


def mlflow() -> Iterator[Finding]:
    """Whether its store opens, and which of its runs are of processes that were killed."""
    from stages.tracking.search import dead_runs
    from stages.tracking.secrets import masked
    from stages.tracking.store import answering, open_if_there

    if former := _former_places():
        yield note(
            f"this repository was at {former}, where MLflow's database still looks for the runs' files",
            "vision sync, or any other command that opens it, points it to those here",
        )
        return
    store = open_if_there()
    if store is None:
        yield ok("no store yet, or TRACKING is off")
        return
    with answering(store, "the runs of killed processes cannot be told"):
        dead = dead_runs(store)
    if dead:
        yield note(f"{len(dead)} runs are RUNNING, but their process is gone", "vision sync closes them")
    else:
        yield ok(f"{masked(store.uri)} opens")


def _former_places() -> str:
    """Return where the repository was when its database was written to, "" where it was here or there is none."""
    from stages.tracking.addresses import database_file
    from stages.tracking.moved import former_places
    from stages.tracking.store import mode, tracking_uri

    if mode() == "off" or (file := database_file(tracking_uri())) is None:
        return ""
    try:
        return ", ".join(map(str, former_places(file)))
    except sqlite3.DatabaseError:  # what is wrong with it, opening it says
        return ""


def optuna() -> Iterator[Finding]:
    """Whether the sweeps' database is whole; it is read without Optuna, which would bring an old one up to date."""
    if not _OPTUNA.exists():
        yield ok("no sweep yet")
        return
    try:
        with sqlite3.connect(f"{_OPTUNA.resolve().as_uri()}?mode=ro", uri=True) as database:
            (whole,) = database.execute("PRAGMA quick_check").fetchone()
            (studies,) = database.execute("SELECT count(*) FROM studies").fetchone()
    except sqlite3.Error as error:
        whole, studies = str(error), 0
    if whole == "ok":
        yield ok(f"{_OPTUNA} has {studies} sweep{'s' * (studies != 1)}")
    else:
        yield problem(f"{_OPTUNA}: {whole}", f"mv {_OPTUNA} {_OPTUNA}.broken; finished trials stay DVC experiments")
