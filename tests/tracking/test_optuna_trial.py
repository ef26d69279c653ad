"""A sweep's trial as its training sees it, with a study in a database of its own."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from sqlalchemy.exc import IntegrityError

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.tracking.lifecycle import train_run
from vision_pipeline.tracking.optuna_trial import (
    TRIAL_VARIABLE,
    TrialHandle,
    current_trial,
    open_storage,
    storage_errors,
)
from vision_pipeline.tracking.store import open_store

SETTINGS = {"name": "mnist-mlp", "seed": 0, "model": {"inputs": "prepared/mnist", "train": {"lr": 0.1}}}
PRUNE = {"after_trials": 1, "after_epochs": 2}


@pytest.fixture
def study(workspace) -> optuna.Study:
    """With one finished trial, whose accuracy was 0.9 after every one of three epochs."""
    study = optuna.create_study(storage=address(workspace), study_name="tiny", direction="maximize")
    done = study.ask()
    for epoch in (1, 2, 3):
        done.report(0.9, epoch)
    study.tell(done, 0.9)
    return study


def address(root: Path) -> str:
    return f"sqlite:///{root / 'optuna.db'}"


def begin(optuna_study: optuna.Study, monkeypatch, prune: dict | None = PRUNE, **changes) -> int:
    """Make the environment that of a training of a new trial; its number."""
    trial = optuna_study.ask()
    handle = TrialHandle(address(Path.cwd()), "tiny", trial._trial_id, "mnist-mlp", "val_accuracy", 3, prune)
    for name, value in replace(handle, **changes).to_env().items():
        monkeypatch.setenv(name, value)
    return trial.number


def train(accuracies: list[float], key: str = "0123456789abcdef", kind: str = "model") -> None:
    with train_run("mnist-mlp", SETTINGS, Path("data/prepared/mnist"), {"key": key}, kind=kind) as run:
        for epoch, accuracy in enumerate(accuracies, 1):
            run.log_epoch(epoch, {"val_accuracy": accuracy, "val_loss": 1.0})


def last_run():
    store = open_store()
    return store.client.search_runs([store.experiment_id])[0]


def test_a_hopeless_training_ends_as_soon_as_it_may_and_says_so(study, monkeypatch):
    number = begin(study, monkeypatch)
    with pytest.raises(Interrupted, match="pruned by the sweep tiny after epoch 2"):
        train([0.1, 0.2, 0.3])
    trial = study.trials[number]
    assert trial.intermediate_values == {1: 0.1, 2: 0.2}
    assert trial.user_attrs == {"pruned": "0123456789abcdef"}
    assert trial.state == optuna.trial.TrialState.RUNNING  # the sweep says what became of it
    assert (last_run().info.status, last_run().data.tags["pruned"]) == ("KILLED", "true")


def test_a_good_one_goes_on_and_only_reports(study, monkeypatch):
    number = begin(study, monkeypatch)
    train([0.95, 0.5, 0.6])  # the best epoch counts
    assert study.trials[number].intermediate_values == {1: 0.95, 2: 0.5, 3: 0.6}
    assert last_run().info.status == "FINISHED"
    assert "pruned" not in last_run().data.tags


def test_after_the_last_epoch_nothing_is_thrown_away(study, monkeypatch):
    begin(study, monkeypatch, {"after_trials": 1, "after_epochs": 3})
    train([0.1, 0.1, 0.1])
    assert last_run().info.status == "FINISHED"


def test_a_sweep_that_prunes_nothing_still_sees_every_epoch(study, monkeypatch):
    number = begin(study, monkeypatch, prune=None)
    train([0.1, 0.1, 0.1])
    assert len(study.trials[number].intermediate_values) == 3


def test_a_pruned_training_that_is_finished_later_is_pruned_no_more(study, monkeypatch):
    begin(study, monkeypatch)
    with pytest.raises(Interrupted):
        train([0.1, 0.2])
    monkeypatch.delenv(TRIAL_VARIABLE)
    train([0.1, 0.2, 0.3])
    assert (last_run().info.status, last_run().data.tags["pruned"]) == ("FINISHED", "false")
    assert last_run().data.metrics["val_accuracy"] == 0.3


def test_it_works_without_tracking(study, monkeypatch):
    begin(study, monkeypatch)
    monkeypatch.setenv("TRACKING", "off")
    with pytest.raises(Interrupted):
        train([0.1, 0.2])


def test_another_model_and_a_generator_are_no_trial(study, monkeypatch):
    number = begin(study, monkeypatch, model="mnist-cnn")
    train([0.1, 0.1, 0.1])
    begin(study, monkeypatch)
    train([0.1, 0.1, 0.1], "fedcba9876543210", kind="generator")
    assert study.trials[number].intermediate_values == {}
    assert study.trials[number + 1].intermediate_values == {}


def test_outside_of_a_sweep_there_is_no_trial(monkeypatch):
    monkeypatch.delenv(TRIAL_VARIABLE, raising=False)
    assert current_trial("mnist-mlp", "0123456789abcdef") is None


@pytest.mark.parametrize("changes", [{"study": "tinny"}, {"storage": "sqlite:////no/such/folder/optuna.db"}])
def test_a_study_that_cannot_be_reached_ends_the_training_with_its_address(study, monkeypatch, changes):
    begin(study, monkeypatch, **changes)
    with pytest.raises(UserError, match=r"the sweep's storage sqlite:///.*optuna.db failed"):
        train([0.1])


def test_a_trial_that_was_given_up_for_dead_ends_the_training(study, monkeypatch):
    number = begin(study, monkeypatch)
    study.tell(number, state=optuna.trial.TrialState.FAIL)
    with pytest.raises(UserError, match="failed"):
        train([0.95])


def test_of_two_machines_that_make_the_tables_at_once_the_one_that_lost_tries_again(workspace, monkeypatch):
    tries, make = [], optuna.storages.RDBStorage

    def losing(*arguments, **options):
        tries.append(arguments)
        if len(tries) == 1:
            raise IntegrityError("CREATE TABLE studies", {}, Exception("duplicate key"))
        return make(*arguments, **options)

    monkeypatch.setattr(optuna.storages, "RDBStorage", losing)
    monkeypatch.setattr("vision_pipeline.tracking.optuna_trial.time.sleep", lambda seconds: None)
    assert open_storage(address(workspace)).get_all_studies() == []
    assert len(tries) == 2


def test_a_storage_that_never_opens_is_given_up(workspace, monkeypatch):
    def fails(*arguments, **options):
        raise IntegrityError("CREATE TABLE studies", {}, Exception("duplicate key"))

    monkeypatch.setattr(optuna.storages, "RDBStorage", fails)
    monkeypatch.setattr("vision_pipeline.tracking.optuna_trial.time.sleep", lambda seconds: None)
    with pytest.raises(UserError, match=r"failed \(IntegrityError: .*duplicate key"), storage_errors("sqlite:///x"):
        open_storage(address(workspace))
