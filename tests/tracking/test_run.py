"""A store that is away for a while: what is kept, when it is tried again, and what `vision sync` makes good."""

import os
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException, RestException

from tests.tracking.sample_runs import runs, train
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking import run as run_module
from vision_pipeline.tracking import store as store_module
from vision_pipeline.tracking.lifecycle import reopen_run
from vision_pipeline.tracking.run import Run, is_permanent
from vision_pipeline.tracking.store import open_store
from vision_pipeline.tracking.sync import sync_model
from vision_pipeline.vcs.dvc_lock import DvcLock

AWAY = MlflowException("API request failed: connection refused")


class SwitchableClient:
    """A client in front of the store's own, whose connection can be cut.

    Attributes:
        is_up: whether the store answers.
        failures: number of calls that it did not answer.
        delay_s: seconds until a call fails.
        error: raised then.
    """

    def __init__(self, client, clock) -> None:
        self._client, self._clock = client, clock
        self.is_up, self.failures, self.delay_s, self.error = True, 0, 0.0, AWAY

    def __getattr__(self, name):
        def call(*arguments, **options):
            if self.is_up:
                return getattr(self._client, name)(*arguments, **options)
            self.failures += 1
            self._clock.now += self.delay_s
            raise self.error

        return call


@pytest.fixture
def clock(monkeypatch) -> SimpleNamespace:
    """That of the run; it stands still unless a test moves it."""
    clock = SimpleNamespace(now=1000.0)
    times = SimpleNamespace(monotonic=lambda: clock.now, time=lambda: clock.now)
    monkeypatch.setattr(run_module, "time", times)
    return clock


def pull(run: Run, clock, error: Exception = AWAY, delay_s: float = 0.0) -> SwitchableClient:
    """Put a switch in front of a run's store, and take the store away."""
    assert run._store is not None
    switched = SwitchableClient(run._store.client, clock)
    switched.is_up, switched.error, switched.delay_s = False, error, delay_s
    run._store = store_module.Store(switched, run._store.uri, run._store.experiment_id)
    return switched


def curve(name: str = "val_accuracy") -> list[tuple[int, float, int]]:
    (logged,) = runs()
    history = open_store().client.get_metric_history(logged.info.run_id, name)
    return [(point.step, point.value, point.timestamp) for point in history]


def test_what_a_store_missed_it_gets_when_it_is_back_with_its_own_time(workspace, clock, capsys):
    with train() as run:
        run.log_epoch(1, {"val_accuracy": 0.1})
        capsys.readouterr()  # here is no git
        switched = pull(run, clock)
        for epoch in (2, 3):
            clock.now += 100
            run.log_epoch(epoch, {"val_accuracy": epoch / 10})
        switched.is_up = True
        clock.now += 100
        run.log_epoch(4, {"val_accuracy": 0.4})
    assert curve() == [(epoch, epoch / 10, 900_000 + 100_000 * epoch) for epoch in (1, 2, 3, 4)]
    assert [run.info.status for run in runs()] == ["FINISHED"]
    printed = capsys.readouterr()
    assert printed.err.count("WARNING") == 1
    assert "MLflow: metrics could not be logged (MlflowException: API request failed" in printed.err
    assert printed.out == "MLflow: the store is back, and has what was kept for it\n"


def test_waiting_for_a_store_takes_a_tenth_of_the_time_at_most(workspace, clock):
    with train() as run:
        switched = pull(run, clock, delay_s=5.0)
        waited_from = clock.now
        for step in range(200):
            clock.now += 1.0
            run.log_metrics({"a": 1.0}, step)
        assert switched.failures == 4
        assert 5.0 * switched.failures <= 0.1 * (clock.now - waited_from)
        switched.is_up = True


def test_a_failure_at_once_is_not_repeated_within_a_second(workspace, clock):
    with train() as run:
        switched = pull(run, clock)
        for step in range(10):
            clock.now += 0.25
            run.log_metrics({"a": 1.0}, step)
        assert switched.failures == 3
        switched.is_up = True
    assert len(curve("a")) == 10


def test_what_was_logged_though_its_answer_was_lost_is_there_once(workspace, clock):
    with train() as run:
        client, lost = run._store.client, iter([AWAY])
        log_batch = client.log_batch

        def answer_lost(*arguments, **options):
            log_batch(*arguments, **options)
            for error in lost:
                raise error

        client.log_batch = answer_lost
        run.log_epoch(1, {"val_accuracy": 0.5})
    assert curve() == [(1, 0.5, 1_000_000)]


def test_a_store_that_was_away_when_the_run_began_has_all_of_it(workspace, clock, monkeypatch):
    store = open_store()
    switched = SwitchableClient(store.client, clock)
    switched.is_up = False
    away = store_module.Store(switched, store.uri, store.experiment_id)
    monkeypatch.setattr("vision_pipeline.tracking.lifecycle.open_store", lambda: away)
    with train() as run:
        run.log_epoch(1, {"val_accuracy": 0.5})
        assert run.id is None
        switched.is_up = True
    (logged,) = runs()
    assert (logged.info.status, logged.data.params["seed"], len(logged.inputs.dataset_inputs)) == ("FINISHED", "0", 1)
    assert curve() == [(1, 0.5, 1_000_000)]


def test_the_test_of_a_model_is_tried_again_at_its_end(workspace, clock):
    with reopen_run("mnist-mlp") as run:
        switched = pull(run, clock)
        run.log_metrics({"test.accuracy": 0.9})
        switched.is_up = True
    assert runs()[0].data.metrics["test.accuracy"] == 0.9


def test_what_is_lost_in_the_end_is_said_with_the_fix(workspace, clock, capsys):
    with train() as run:
        pull(run, clock)
        run.log_metrics({"a": 1.0})
    first, last = capsys.readouterr().err.splitlines()
    assert first.endswith("it is kept and tried again")
    assert last.startswith("WARNING: MLflow: metrics and 1 more could not be logged (MlflowException: ")
    assert last.endswith("; the results are not touched, and `vision sync` logs it later")


def test_a_call_that_the_store_refuses_ends_the_logging_at_once(workspace, clock, capsys):
    with train() as run:
        switched = pull(run, clock, RestException({"error_code": "INVALID_PARAMETER_VALUE", "message": "no"}))
        run.log_metrics({"a": 1.0})
        run.log_metrics({"b": 1.0})
    assert switched.failures == 1
    assert "metrics and all that follows could not be logged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (MlflowException("no connection"), False),
        (RestException({"error_code": "REQUEST_LIMIT_EXCEEDED"}), False),
        (RestException({"error_code": "TEMPORARILY_UNAVAILABLE"}), False),
        (RestException({"error_code": "RESOURCE_DOES_NOT_EXIST"}), True),
        (RestException({"error_code": "PERMISSION_DENIED"}), True),
        (OSError("no connection"), False),
        (UserError("train.json is missing"), True),
    ],
)
def test_what_may_pass_and_what_will_not(error, final):
    assert is_permanent(error) is final


def test_strict_fails_at_once(workspace, clock, monkeypatch):
    monkeypatch.setenv("TRACKING", "strict")
    with pytest.raises(UserError, match="TRACKING is strict"), train() as run:
        switched = pull(run, clock)
        switched.is_up = False
        try:
            run.log_metrics({"a": 1.0})
        finally:
            assert switched.failures == 1
            switched.is_up = True
    assert [run.info.status for run in runs()] == ["FAILED"]


ENDED = """
import os
from tests.tracking.sample_runs import train
with train() as run:
    run.log_epoch(1, {"val_accuracy": 0.2})
    os._exit(0)
"""


@pytest.fixture
def left_open(workspace) -> str:
    """The id of a run whose training ended while the store was away; its reports are there."""
    root = Path(__file__).resolve().parents[2]
    subprocess.run(
        [sys.executable, "-c", ENDED],
        check=True,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"},
    )
    (logged,) = runs()
    assert logged.info.status == "RUNNING"
    return logged.info.run_id


def test_sync_completes_and_ends_a_run_that_was_left_open(left_open):
    (synced,) = sync_model(open_store(), "mnist-mlp", DvcLock(""), lambda *_: False)
    assert (synced.status, synced.note) == ("completed", "end of the training")
    (logged,) = runs()
    assert (logged.info.run_id, logged.info.status) == (left_open, "FINISHED")
    assert [(step, value) for step, value, _ in curve()] == [(1, 0.2), (2, 0.6)]
    assert len(logged.inputs.dataset_inputs) == 1
    (again,) = sync_model(open_store(), "mnist-mlp", DvcLock(""), lambda *_: False)
    assert (again.status, again.note) == ("present", "")


def test_the_test_completes_a_run_that_was_left_open(left_open):
    with reopen_run("mnist-mlp") as run:
        run.log_metrics({"test.accuracy": 0.9})
    (logged,) = runs()
    assert (logged.info.run_id, logged.info.status) == (left_open, "FINISHED")
    assert logged.data.metrics["val_accuracy"] == 0.6


@pytest.mark.parametrize(("hours", "status"), [(23, "skipped"), (25, "completed")])
def test_another_machines_run_counts_as_left_open_a_day_after_its_last_sign(workspace, clock, hours, status):
    now = time.time()
    clock.now = now - hours * 3600
    with train() as run:
        run.log_epoch(1, {"val_accuracy": 0.2})
        client, run_id = run._store.client, run.id
        client.set_tag(run_id, "host", "a-container")
        with sqlite3.connect("mlflow.db") as database:
            database.execute("UPDATE runs SET start_time = ?", [int(1000 * (now - 48 * 3600))])
        (synced,) = sync_model(open_store(), "mnist-mlp", DvcLock(""), lambda *_: False)
        assert synced.status == status
        if status == "skipped":
            assert synced.note == "it is being trained, on a-container"


def test_an_experiment_that_another_machine_made_meanwhile_is_taken(workspace, monkeypatch):
    store = open_store()
    experiment = store.client.get_experiment_by_name("image-classification")
    answers = iter([None, experiment])  # before and after the other made it
    monkeypatch.setattr("mlflow.MlflowClient.get_experiment_by_name", lambda client, name: next(answers))
    assert open_store().experiment_id == store.experiment_id
