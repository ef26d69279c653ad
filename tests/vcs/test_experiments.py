"""The MLflow runs of DVC's experiments, restored from git alone."""

import json
import shutil
from pathlib import Path

import pytest
from tiny_project import git

from tests.tracking.sample_runs import KEY, runs, train
from tests.tracking.test_records import REPORTS, write_test
from tests.tracking.test_sync import LOCK
from vision_pipeline.tracking.store import open_store
from vision_pipeline.tracking.sync import sync_experiment
from vision_pipeline.vcs.experiments import DvcExperiment, list_experiments


@pytest.fixture(params=[".", "projects/vision"])
def experiment(request, workspace, monkeypatch) -> DvcExperiment:
    """An experiment that git holds and the workspace does not: neither its params nor its reports.

    The project is git's top folder, or one below it.
    """
    there, project = list(workspace.iterdir()), workspace / request.param
    project.mkdir(parents=True, exist_ok=True)
    for path in there:
        path.rename(project / path.name)
    monkeypatch.chdir(project)
    monkeypatch.setenv("DVC_ROOT", str(project))
    write_test(REPORTS)
    Path("dvc.lock").write_text(LOCK.replace("MODEL", "new"))
    git("init", "-q", str(workspace))
    git("add", "params.yaml", "reports", "dvc.lock")
    git("commit", "-qm", "An experiment")
    commit = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{commit[:2]}/{commit[2:]}/brave-cat", commit)
    shutil.rmtree("reports")
    shutil.rmtree("models")
    return DvcExperiment("brave-cat", commit, commit)


def test_experiments_are_found_in_git(experiment):
    assert list_experiments() == [experiment]


def test_a_model_of_an_experiment_gets_its_run_back_from_git(experiment):
    assert sync_experiment(open_store(), experiment)["restored"] == 1
    (logged,) = runs()
    assert logged.info.status == "FINISHED"
    wanted = {
        "dvc.exp.brave-cat": "1",
        "dvc.exp_name": "brave-cat",
        "git.commit": experiment.commit,
        "restored": "true",
    }
    assert wanted.items() <= logged.data.tags.items()
    assert {"val_accuracy": 0.6, "test.accuracy": 0.9}.items() <= logged.data.metrics.items()
    assert logged.data.params["model.inputs"] == "prepared/mnist"
    assert logged.data.tags["pipeline.key"] == KEY
    assert sync_experiment(open_store(), experiment)["present"] == 1
    assert len(runs()) == 1


def test_a_run_that_belongs_to_one_more_experiment_is_tagged(experiment):
    with train():
        pass
    assert sync_experiment(open_store(), experiment) == {"present": 0, "tagged": 1, "restored": 0, "unknown": 0}
    assert runs()[0].data.tags["dvc.exp.brave-cat"] == "1"


def test_a_training_that_the_experiments_lock_does_not_know_is_not_made_up(experiment):
    text = Path("dvc.lock").read_text().replace("train@mnist-mlp", "train@another")
    Path("dvc.lock").write_text(text)
    git("checkout", "-q", experiment.commit, "--", "reports")
    git("add", "dvc.lock", "reports")
    git("commit", "-qm", "Another")
    counts = sync_experiment(open_store(), DvcExperiment("shy-dog", git("rev-parse", "HEAD"), experiment.commit))
    assert (counts["unknown"], runs()) == (1, [])


def test_of_reports_of_models_that_params_do_not_have_nothing_is_made(experiment):
    git("checkout", "-q", experiment.commit, "--", "reports")
    other = Path("reports/models/gone")
    shutil.copytree(REPORTS, other)
    report = json.loads((other / "train.json").read_text())
    (other / "train.json").write_text(json.dumps(report | {"key": "gone"}))
    git("add", "reports")
    git("commit", "-qm", "More reports")
    assert (
        sync_experiment(open_store(), DvcExperiment("shy-dog", git("rev-parse", "HEAD"), experiment.commit))["restored"]
        == 1
    )
