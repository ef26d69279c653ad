"""The view with which MLflow's page of all runs is opened."""

import json
import re

from vision_pipeline.cli.ui import configure_ui_view
from vision_pipeline.tracking.store import open_store

LOGGED = ["lr", "train_loss", "val_accuracy", "test.accuracy", "test.accuracy_low", "export.accuracy", "test.f1.loss"]


def tags() -> dict:
    store = open_store()
    return store.client.get_experiment(store.experiment_id).tags


def test_the_address_names_a_view_that_the_experiment_has(workspace):
    store = open_store()
    address = configure_ui_view(store)
    view = "overview"
    assert address == f"/experiments/{store.experiment_id}/runs?workflowType=machine_learning&viewStateShareKey={view}"
    state = json.loads(tags()[f"mlflow.sharedViewState.{view}"])
    assert "metrics.`test.accuracy`" in state["selectedColumns"]
    matches = [name for name in LOGGED if re.search(state["chartsSearchFilter"], name)]
    assert matches == ["train_loss", "val_accuracy", "test.accuracy"]


def test_a_description_that_a_person_wrote_stays(workspace):
    store = open_store()
    configure_ui_view(store)
    assert tags()["mlflow.note.content"].startswith("One run for each trained model")
    store.client.set_experiment_tag(store.experiment_id, "mlflow.note.content", "Mine.")
    configure_ui_view(store)
    assert tags()["mlflow.note.content"] == "Mine."
