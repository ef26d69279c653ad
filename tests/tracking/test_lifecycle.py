"""The life of a model's run: a training's, reopened, resumed, restored."""

import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from tiny_project import git

from tests.tracking.sample_runs import KEY, PARAMS, runs, train
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.tracking.lifecycle import reopen_run, train_run
from vision_pipeline.tracking.records import after_training_record
from vision_pipeline.tracking.store import open_store


def test_a_training_is_one_run_with_params_metrics_data_and_lineage(workspace, monkeypatch):
    monkeypatch.setenv("DVC_STAGE", "train@mnist-mlp")
    git("init", "-q")
    git("commit", "-qm", "Nothing", "--allow-empty")
    with train(dataset="mnist", device="cpu") as run:
        run.log_metrics({"val_accuracy": 0.5}, step=1)
        run.log_metrics({"val_accuracy": 0.75}, step=2)
        run.log_artifacts(Path("reports/models/mnist-mlp/history.csv"))
    (logged,) = runs()
    assert logged.info.run_name == "mnist-mlp"
    assert logged.info.status == "FINISHED"
    assert logged.data.params == PARAMS
    tags = logged.data.tags
    expected = {"pipeline.key": KEY, "dataset": "mnist", "model": "mnist-mlp", "device": "cpu", "git.dirty": "false"}
    assert expected.items() <= tags.items()
    assert tags["dvc.stage"] == tags["mlflow.source.name"] == "train@mnist-mlp"
    assert tags["git.commit"] == tags["mlflow.source.git.commit"]
    assert len(tags["git.commit"]) == 40
    assert tags["version.torch"] == version("torch")
    assert logged.inputs.dataset_inputs[0].dataset.digest == "d" * 16
    client = open_store().client
    assert [m.value for m in client.get_metric_history(logged.info.run_id, "val_accuracy")] == [0.5, 0.75]
    assert [file.path for file in client.list_artifacts(logged.info.run_id)] == ["history.csv"]
    assert list((workspace / "mlartifacts").rglob("history.csv"))


def test_each_layers_figures_are_logged_by_epoch(workspace):
    with train() as run:
        run.log_record(after_training_record(Path("reports/models/mnist-mlp")))
    (logged,) = runs()
    assert logged.data.metrics == {
        "layers.first.gradient_norm": 0.5,
        "layers.first.saturated": 0.5,
        "layers.output.gradient_norm": 1.0,
    }
    history = open_store().client.get_metric_history(logged.info.run_id, "layers.first.gradient_norm")
    assert [(point.step, point.value) for point in history] == [(0, 2.0), (1, 0.5)]


@pytest.mark.parametrize(("error", "status"), [(Interrupted("now"), "KILLED"), (RuntimeError("broken"), "FAILED")])
def test_a_run_tells_how_it_ended(workspace, error, status):
    with pytest.raises(type(error)), train():
        raise error
    assert [run.info.status for run in runs()] == [status]


@pytest.mark.parametrize("error", [Interrupted("now"), RuntimeError("broken")])
def test_a_training_that_goes_on_has_the_same_run_and_logs_an_epoch_once(workspace, error):
    with pytest.raises(type(error)), train() as first:
        first.log_epoch(1, {"val_accuracy": 0.5})
        first.log_epoch(2, {"val_accuracy": 0.6})
        raise error
    with train() as second:
        assert second.id == first.id
        second.log_epoch(2, {"val_accuracy": 0.6})  # its state was of epoch 1
        second.log_epoch(3, {"val_accuracy": 0.7})
    (logged,) = runs()
    assert (logged.info.status, logged.data.tags["resumed"]) == ("FINISHED", "true")
    history = open_store().client.get_metric_history(logged.info.run_id, "val_accuracy")
    assert [(point.step, point.value) for point in history] == [(1, 0.5), (2, 0.6), (3, 0.7)]
    assert len(logged.inputs.dataset_inputs) == 1


@pytest.mark.parametrize("seconds", [-3600, 365 * 24 * 3600])
def test_a_clock_that_is_set_in_between_changes_neither_the_run_nor_its_epochs(workspace, monkeypatch, seconds):
    with pytest.raises(Interrupted), train() as first:
        first.log_epoch(1, {"val_accuracy": 0.5})
        raise Interrupted("now")
    clock = time.time
    monkeypatch.setattr(time, "time", lambda: clock() + seconds)
    with train() as second:
        second.log_epoch(2, {"val_accuracy": 0.6})
    (logged,) = runs()
    assert (first.id, logged.info.status, logged.data.metrics["val_accuracy"]) == (second.id, "FINISHED", 0.6)
    history = open_store().client.get_metric_history(logged.info.run_id, "val_accuracy")
    assert sorted((point.step, point.value) for point in history) == [(1, 0.5), (2, 0.6)]


def test_a_training_of_another_key_gets_a_run_of_its_own(workspace):
    with pytest.raises(Interrupted), train() as first:
        raise Interrupted("now")
    with train(key="fedcba9876543210") as other:
        assert other.id != first.id


@pytest.mark.parametrize(("again", "count"), [(False, 2), (True, 1)])
def test_a_finished_run_is_gone_on_with_only_when_dvc_took_no_note_of_it(workspace, again, count):
    with train():
        pass
    settings = {"name": "mnist-mlp", "seed": 0, "model": {"inputs": "prepared/mnist", "train": {"lr": 0.1}}}
    with train_run("mnist-mlp", settings, Path("data/prepared/mnist"), {"key": KEY}, has_state=again):
        pass
    assert len(runs()) == count


def test_evaluate_finds_the_run_of_the_training_again_and_again(workspace):
    with train() as run:
        trained = run.id
    with reopen_run("mnist-mlp") as run:
        run.log_metrics({"test.accuracy": 0.9})
    with reopen_run("mnist-mlp") as run:
        run.set_tags({"export": "done"})
    (logged,) = runs()
    assert logged.info.run_id == trained
    assert logged.data.metrics["test.accuracy"] == 0.9
    assert logged.data.tags["export"] == "done"


def test_failed_and_killed_trainings_are_not_the_models_run(workspace):
    with pytest.raises(RuntimeError), train() as run:
        failed = run.id
        raise RuntimeError
    with reopen_run("mnist-mlp") as run:
        assert run.id != failed


def test_a_model_from_the_cache_gets_its_run_back_from_the_reports(workspace):
    with reopen_run("mnist-mlp") as run:
        restored = run.id
    with reopen_run("mnist-mlp") as run:
        assert run.id == restored
    (logged,) = runs()
    assert logged.info.status == "FINISHED"
    assert logged.data.tags["restored"] == "true"
    assert logged.data.tags["provenance"] == "stand-in"
    assert logged.data.params == PARAMS
    history = open_store().client.get_metric_history(restored, "val_accuracy")
    assert [(point.step, point.value) for point in history] == [(1, 0.2), (2, 0.6)]


@pytest.mark.parametrize(("key", "ended"), [(KEY, ["FINISHED"]), ("fedcba9876543210", ["FINISHED", "KILLED"])])
def test_a_killed_training_is_gone_on_with_or_closed_by_the_next(workspace, key, ended):
    code = (
        "import os; from tests.tracking.sample_runs import train\n"
        "with train() as run: os._exit(9)"
    )  # fmt: skip
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}"},
    )
    assert done.returncode == 9
    assert [run.info.status for run in runs()] == ["RUNNING"]
    with train(key=key):
        pass
    assert sorted(run.info.status for run in runs()) == ended


def test_experiments_are_tagged(workspace, monkeypatch):
    monkeypatch.setenv("DVC_EXP_NAME", "brave-cat")
    with train():
        pass
    monkeypatch.setenv("DVC_EXP_NAME", "shy-dog")
    with reopen_run("mnist-mlp"):
        pass
    (logged,) = runs()
    assert logged.data.tags["dvc.exp_name"] == "brave-cat"
    assert logged.data.tags["dvc.exp.brave-cat"] == logged.data.tags["dvc.exp.shy-dog"] == "1"


def test_an_unreachable_store_is_said_once_and_stops_nothing(workspace, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with train() as run:
        run.log_metrics({"val_accuracy": 0.5})
        assert run.id is None
    assert capsys.readouterr().err.count("WARNING: MLflow: this stage could not be logged") == 1


def test_an_unknown_mode_is_refused(workspace, monkeypatch):
    monkeypatch.setenv("TRACKING", "of")
    with pytest.raises(UserError, match="TRACKING is 'of'; allowed: on, off, strict"), train():
        pass


def test_strict_fails(workspace, monkeypatch):
    monkeypatch.setenv("TRACKING", "strict")
    with (
        pytest.raises(UserError, match=r"metrics and all .* \(ZeroDivisionError: .*\), and TRACKING is strict"),
        train() as run,
    ):
        monkeypatch.setattr(run._store.client, "log_batch", lambda *a, **k: 1 / 0)
        run.log_metrics({"a": 1.0})
    assert [run.info.status for run in runs()] == ["FAILED"]


def test_off_does_not_even_import_mlflow(workspace):
    code = (
        "import sys; from vision_pipeline.tracking.lifecycle import reopen_run\n"
        "with reopen_run('mnist-mlp') as run: run.log_metrics({'a': 1.0}); assert run.id is None\n"
        "sys.exit('mlflow' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{root / 'tests'}", "TRACKING": "off"}
    assert subprocess.run([sys.executable, "-c", code], check=False, env=environment).returncode == 0


def test_several_processes_may_be_the_first_to_open_the_store(workspace):
    (workspace / "mlflow.db").unlink()
    code = "from vision_pipeline.tracking.store import open_store; print(open_store().experiment_id)"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    command = [sys.executable, "-c", code]
    opening = [subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    answers = [process.communicate()[0].split()[-1:] for process in opening]
    assert answers == [["1"], ["1"], ["1"]]
    assert [experiment.name for experiment in open_store().client.search_experiments()].count(
        "image-classification"
    ) == 1
