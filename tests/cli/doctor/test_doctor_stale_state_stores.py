"""What `vision doctor` says of MLflow's and Optuna's databases."""

import sqlite3
from pathlib import Path

import pytest
from doctor_checks import dead_process, only

from vision_pipeline.cli.doctor import stale_state
from vision_pipeline.cli.doctor.finding import NOTE, OK, PROBLEM
from vision_pipeline.tracking.store import Store, open_store


def test_runs_of_dead_processes_are_noted_and_stay_as_they_are(place: Path) -> None:
    import socket

    assert only(stale_state.check_mlflow()) == (OK, "no store yet, or TRACKING is off", "")
    assert not (place / "mlflow.db").exists()
    store = open_store()
    tags = {"host": socket.gethostname(), "host.pid": str(dead_process())}
    run = store.client.create_run(store.experiment_id, tags=tags).info.run_id
    assert only(stale_state.check_mlflow()) == (
        NOTE, "1 runs are RUNNING, but their process is gone", "vision sync closes them"
    )  # fmt: skip
    assert store.client.get_run(run).info.status == "RUNNING"


def test_the_stores_password_is_not_shown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(None, "postgresql://me:s3cret@db/mlflow", "1")
    monkeypatch.setattr("vision_pipeline.tracking.store.open_existing", lambda: store)
    monkeypatch.setattr("vision_pipeline.tracking.search.find_dead_runs", lambda store: [])
    assert only(stale_state.check_mlflow()) == (OK, "postgresql://me:***@db/mlflow opens", "")


def test_the_sweeps_database(place: Path) -> None:
    with sqlite3.connect("optuna.db") as database:
        database.execute("CREATE TABLE studies (study_id INTEGER)")
        database.execute("INSERT INTO studies VALUES (1)")
    assert only(stale_state.check_optuna()) == (OK, "optuna.db has 1 sweep", "")
    Path("optuna.db").write_bytes(b"no database" * 100)
    assert only(stale_state.check_optuna())[0] == PROBLEM
