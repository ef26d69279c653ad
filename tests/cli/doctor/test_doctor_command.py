"""`vision doctor` as a command: what it prints, changes and exits with."""

from pathlib import Path

import pytest
from doctor_checks import change
from mlflow.exceptions import MlflowException
from typer.testing import CliRunner

from vision_pipeline.cli.doctor import hardware
from vision_pipeline.cli.doctor.finding import PROBLEM
from vision_pipeline.cli.main import app
from vision_pipeline.tracking.store import Store, open_store


def test_where_all_is_well_nothing_is_changed_and_the_exit_code_is_0(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hardware, "_STAGE_MEMORY", 0)  # a small machine is no error of the code
    for amount in ("_DATA", "_ARRAYS_TWICE"):
        monkeypatch.setattr(hardware, amount, 0)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert done.exit_code == 0, done.output
    levels = [line.split()[0] for line in done.output.splitlines()]
    assert len(levels) == 23 and PROBLEM not in levels  # both programs are one check
    assert {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()} == before


def test_a_problem_has_its_fix_and_the_exit_code_1(place: Path) -> None:
    (place / "requirements.lock").unlink()
    change(place, lambda params: params.update(bogus=1))
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert done.exit_code == 1
    assert "PROBLEM  packages    requirements.lock or pyproject.toml is missing; fix: run from the" in done.output
    assert "PROBLEM  params      params.yaml: bogus: unknown key" in done.output
    assert "PROBLEM  device      params.yaml is not valid" in done.output  # a refusal of a check is one, too
    assert str(done.exception).endswith("problems, as said above")


def test_a_store_that_does_not_open_is_a_problem(place: Path) -> None:
    (place / "mlflow.db").write_bytes(b"no database" * 100)
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert done.exit_code == 1
    assert "PROBLEM  MLflow      MLflow's store sqlite:///" in done.output


def test_a_store_that_fails_ends_no_other_check(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(store: Store) -> None:
        raise MlflowException("the server was restarted")

    open_store()
    monkeypatch.setattr("vision_pipeline.tracking.search.find_dead_runs", fails)
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert "PROBLEM  MLflow      the runs of killed processes cannot be told: MLflow's store" in done.output
    assert "ok       Optuna      no sweep yet" in done.output
