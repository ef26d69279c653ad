"""MLflow's runs, brought up to what DVC has of the workspace's models."""

import json
import shutil
import socket
from pathlib import Path

import pytest
from mlflow.entities import LoggedModelOutput

from tests.tracking.sample_reports import REPORTS, write_exports, write_test
from tests.tracking.sample_runs import KEY, PARAMS, runs, train
from vision_pipeline.tracking.lifecycle import train_run
from vision_pipeline.tracking.search import finished_run_ids
from vision_pipeline.tracking.store import open_store
from vision_pipeline.tracking.sync import SyncResult, sync_model
from vision_pipeline.vcs.dvc_lock import DvcLock

LOCK = """
stages:
  train@mnist-mlp:
    params: {params.yaml: {seed: 0, models.mnist-mlp: {inputs: prepared/mnist}}}
    outs: [{path: models/mnist-mlp, md5: new.dir}]
  evaluate@mnist-mlp:
    deps: [{path: models/mnist-mlp, md5: MODEL.dir}]
    params: {params.yaml: {evaluate: {bins: 15}}}
  export@mnist-mlp:
    deps: [{path: models/mnist-mlp, md5: MODEL.dir}]
    params: {params.yaml: {export: {max_logit_gap: 0.001}}}
"""


@pytest.fixture
def tested(workspace) -> DvcLock:
    """The workspace, its model tested and exported; the lock that says so."""
    write_test(REPORTS)
    write_exports(Path("exports/mnist-mlp"))
    return DvcLock(LOCK.replace("MODEL", "new"))


def sync(lock: DvcLock) -> SyncResult:
    (result,) = sync_model(open_store(), "mnist-mlp", lock, lambda client, run_id, name: False)
    return result


def test_a_model_without_a_run_gets_one_with_all_that_its_stages_log(tested):
    assert sync(tested) == SyncResult("mnist-mlp", "restored", "lineage, test, exports")
    (logged,) = runs()
    assert (logged.info.status, logged.data.params) == ("FINISHED", PARAMS)
    assert logged.data.tags["evaluate.bins"] == "15"
    assert logged.data.tags["export.max_logit_gap"] == "0.001"
    assert logged.data.tags["dvc.md5.models/mnist-mlp"] == "new.dir"
    expected = {"val_accuracy": 0.6, "test.accuracy": 0.9, "test.f1.cat": 0.8, "export.accuracy": 0.9}
    assert expected.items() <= logged.data.metrics.items()
    client, run_id = open_store().client, logged.info.run_id
    assert [(p.step, p.value) for p in client.get_metric_history(run_id, "val_loss")] == [(1, 2.0), (2, 1.0)]
    files = {
        Path(file.path).name for folder in (None, "test", "export") for file in client.list_artifacts(run_id, folder)
    }
    assert files > {"train.json", "history.csv", "mistakes.png", "card.md", "parity.json"}
    assert logged.inputs.dataset_inputs[0].dataset.digest == "d" * 16


def test_a_second_sync_finds_all_present_and_changes_nothing(tested):
    sync(tested)
    before = [(run.info.run_id, run.data.metrics, run.data.tags) for run in runs()]
    assert sync(tested) == SyncResult("mnist-mlp", "present", "")
    assert [(run.info.run_id, run.data.metrics, run.data.tags) for run in runs()] == before


def test_a_run_that_lost_its_test_and_an_epoch_is_completed(tested):
    with train() as run:
        run.log_metrics({"lr": 0.1, "train_loss": 2, "train_accuracy": 0.1, "val_loss": 2, "val_accuracy": 0.2}, step=1)
    assert sync(tested).note == "training, lineage, test, exports"
    (logged,) = runs()
    history = open_store().client.get_metric_history(logged.info.run_id, "val_accuracy")
    assert [(point.step, point.value) for point in history] == [(1, 0.2), (2, 0.6)]
    assert logged.data.metrics["test.accuracy"] == 0.9


def test_the_test_of_an_older_training_is_not_logged_under_the_new(workspace):
    write_test(REPORTS)
    write_exports(Path("exports/mnist-mlp"))
    sync(DvcLock(LOCK.replace("MODEL", "old")))
    (logged,) = runs()
    assert "test.accuracy" not in logged.data.metrics
    assert "export.accuracy" not in logged.data.metrics


def test_reports_of_another_training_make_no_run(tested):
    report = json.loads((REPORTS / "train.json").read_text())
    (REPORTS / "train.json").write_text(json.dumps(report | {"key": "another"}))
    result = sync(tested)
    assert (result.status, runs()) == ("skipped", [])
    assert "dvc repro train@mnist-mlp" in result.note


def test_a_training_that_runs_now_is_left_alone(tested):
    with train():
        assert sync(tested) == SyncResult("mnist-mlp", "skipped", f"it is being trained, on {socket.gethostname()}")


def test_a_missing_report_is_named(tested):
    (REPORTS / "train.json").unlink()
    assert sync(tested).note.startswith("reports/models/mnist-mlp/train.json is missing; `dvc checkout`")


def test_more_than_one_finished_run_is_said(tested):
    settings = {"name": "mnist-mlp", "seed": 0, "model": {"inputs": "prepared/mnist", "train": {"lr": 0.1}}}
    for _ in range(2):
        with train_run("mnist-mlp", settings, Path("data/prepared/mnist"), {"key": KEY}):
            pass
    assert sync(tested).note.endswith("2 finished runs, of which the newest counts")


def test_the_model_to_serve_is_asked_for_once_it_is_exported(tested):
    calls = []

    def serve(client, run_id, name):
        calls.append((run_id, name))
        return True

    (Path("exports/mnist-mlp") / "model.onnx").write_bytes(b"")
    (result,) = sync_model(open_store(), "mnist-mlp", tested, serve)
    assert result.note.endswith("model to serve")
    assert calls == [(finished_run_ids(open_store(), KEY)[0], "mnist-mlp")]


@pytest.mark.parametrize(("gone", "note"), [(False, ""), (True, "model to serve")])
def test_a_model_to_serve_whose_files_are_gone_is_asked_for_again(tested, gone, note):
    sync(tested)
    (Path("exports/mnist-mlp") / "model.onnx").write_bytes(b"")
    store = open_store()
    model = store.client.create_logged_model(store.experiment_id, "any", source_run_id=runs()[0].info.run_id)
    Path("exported").mkdir()
    Path("exported/MLmodel").touch()
    store.client.log_model_artifacts(model.model_id, "exported")
    store.client.log_outputs(runs()[0].info.run_id, [LoggedModelOutput(model.model_id, step=0)])
    if gone:
        shutil.rmtree("mlartifacts/models")
    (result,) = sync_model(store, "mnist-mlp", tested, lambda client, run_id, name: True)
    assert result.note == note


def test_without_its_data_a_run_is_restored_too(tested):
    shutil.rmtree("data")
    assert sync(tested).status == "restored"
    assert runs()[0].inputs.dataset_inputs == []


@pytest.fixture
def seeded(tested) -> DvcLock:
    """The same, the model trained with the seeds 0 and 1."""
    folder = Path("models/mnist-mlp/seeds/1")
    shutil.copytree("reports/models/mnist-mlp", folder)
    training = json.loads(Path("models/mnist-mlp/training.json").read_text())
    settings = training["settings"] | {"seed": 1}
    (folder / "training.json").write_text(json.dumps({"key": "1" * 16, "settings": settings}))
    report = json.loads((folder / "train.json").read_text())
    (folder / "train.json").write_text(json.dumps(report | {"key": "1" * 16}))
    table = "seed,accuracy,loss,val_accuracy,best_epoch\n0,0.9,0.4,0.6,2\n1,0.8,0.5,0.6,2\n"
    (REPORTS / "seeds.csv").write_text(table)
    return tested


def test_each_further_seed_has_a_run_below_that_of_the_first(seeded):
    for status in ("restored", "present"):
        first, second = sync_model(open_store(), "mnist-mlp", seeded, lambda client, run_id, name: False)
        assert (first.name, first.status) == ("mnist-mlp", status)
        assert (second.name, second.status) == ("mnist-mlp, seed 1", status)
    logged = {run.info.run_name: run for run in runs()}
    assert logged.keys() == {"mnist-mlp", "mnist-mlp, seed 1"}
    child, parent = logged["mnist-mlp, seed 1"], logged["mnist-mlp"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.params["seed"] == "1"
    assert (child.data.metrics["test.accuracy"], parent.data.metrics["test.accuracy"]) == (0.8, 0.9)
