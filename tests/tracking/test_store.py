"""Addresses of stores: relative ones count from the repository, wherever a stage runs."""

from pathlib import Path

import pytest

from tests.tracking.sample_runs import train
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking.store import (
    database_file,
    open_existing,
    open_store,
    registry_uri,
    require_store,
    resolve_store_uri,
)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("sqlite:///other.db", "sqlite:///{home}/other.db"),
        ("sqlite:///other.db?timeout=9", "sqlite:///{home}/other.db?timeout=9"),
        ("sqlite:///file:other.db?uri=true", "sqlite:///file:{home}/other.db?uri=true"),
        ("sqlite:////shared/all.db", "sqlite:////shared/all.db"),
        ("http://localhost:5000", "http://localhost:5000"),
        ("postgresql://me:p%40ss@db/mlflow", "postgresql://me:p%40ss@db/mlflow"),
        ("databricks", "databricks"),
        ("databricks://profile", "databricks://profile"),
    ],
)
def test_a_file_counts_from_the_repository_and_a_server_stays(tmp_path, monkeypatch, address, expected):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert resolve_store_uri(address, "X") == expected.format(home=tmp_path)


@pytest.mark.parametrize("address", ["mlruns", "./mlruns", "file:mlruns"])
def test_a_folder_is_refused_unless_mlflow_is_asked_to_write_it(tmp_path, monkeypatch, address):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.delenv("MLFLOW_ALLOW_FILE_STORE", raising=False)
    with pytest.raises(
        UserError, match=r"^KEY is the folder .*mlruns, and MLflow keeps runs in a database now; set it"
    ):
        resolve_store_uri(address, "KEY")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert resolve_store_uri(address, "KEY") == (tmp_path / "mlruns").as_uri()


@pytest.mark.parametrize("address", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_a_database_in_memory_is_refused(address):
    with pytest.raises(UserError, match=r"^KEY: a database in memory cannot be shared"):
        resolve_store_uri(address, "KEY")


@pytest.mark.parametrize("where", ["environment", "params"])
def test_a_stage_in_a_throw_away_copy_logs_beside_the_repository(workspace, monkeypatch, tmp_path_factory, where):
    params = Path("params.yaml").read_text()
    copy = tmp_path_factory.mktemp("throw-away")
    monkeypatch.chdir(copy)
    (workspace / "mlflow.db").rename(workspace / "other.db")
    if where == "params":
        params = params.replace("tracking_uri: auto", "tracking_uri: sqlite:///other.db")
    else:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db?timeout=30")
    Path("params.yaml").write_text(params)
    store = open_store()
    assert database_file(store.uri) == workspace / "other.db"
    assert open_existing() is not None
    assert list(copy.glob("*.db")) == []


def test_the_registry_of_models_is_beside_the_repository_too(workspace, monkeypatch, tmp_path_factory):
    assert registry_uri() is None
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "sqlite:///models.db")
    copy = tmp_path_factory.mktemp("throw-away")
    (copy / "params.yaml").write_text(Path("params.yaml").read_text())
    monkeypatch.chdir(copy)
    open_store().client.create_registered_model("mnist")
    assert (workspace / "models.db").exists() and list(copy.glob("*.db")) == []


@pytest.mark.parametrize("name", ["a b", "müller", "a?b", "a#b", "a%20b"])
def test_any_name_of_the_repositorys_folder(workspace, monkeypatch, tmp_path_factory, name):
    place = tmp_path_factory.mktemp("names")
    root = place / name
    workspace.rename(root)
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    with train() as run:
        run.log_artifacts(Path("reports/models/mnist-mlp/history.csv"))
    assert [file.path for file in open_store().client.list_artifacts(run.id)] == ["history.csv"]
    assert list((root / "mlartifacts").rglob("history.csv")) and (root / "mlflow.db").exists()
    assert [path for path in place.rglob("*") if path.is_file() and root not in path.parents] == []


def test_an_experiment_that_was_deleted_is_said_with_the_fix(workspace, monkeypatch, capsys):
    store = open_store()
    store.client.delete_experiment(store.experiment_id)
    fix = "was deleted; `mlflow experiments restore -x 1` brings it back, or name another one: mlflow.experiment in"
    with pytest.raises(UserError, match=rf"^MLflow's experiment image-classification \(id 1\) {fix} params.yaml$"):
        require_store()
    with train() as run:
        assert run.id is None
    assert f"this stage could not be logged (MLflow's experiment image-classification (id 1) {fix}" in (
        capsys.readouterr().err
    )
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("tracking_uri: auto", "tracking_uri: sqlite:///mlflow.db"))
    with pytest.raises(
        UserError, match=rf"brings it back with MLFLOW_TRACKING_URI=sqlite:///{workspace}/mlflow.db, or"
    ):
        require_store()
