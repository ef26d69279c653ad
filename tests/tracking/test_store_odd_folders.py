"""MLflow's and Optuna's databases and artifacts in folders with odd names."""

from pathlib import Path

import pytest

from vision_pipeline.cli.sweep.command import _resolve_storage_url
from vision_pipeline.tracking.optuna_trial import open_storage
from vision_pipeline.tracking.store import open_existing, open_store

ODD = ["a b", "m\u00fcller", "\u65e5\u672c", "a#b", "a?b", "a%20b", "it's", "a&b;c"]


@pytest.mark.parametrize("name", ODD)
def test_the_store_lies_in_the_repository(name: str, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = workspace / name
    root.mkdir()
    for file in ("params.yaml", "mlflow.db"):
        (workspace / file).rename(root / file)
    monkeypatch.chdir(root)
    monkeypatch.setenv("DVC_ROOT", str(root))
    assert open_existing() is not None
    store = open_store()
    run = store.client.create_run(store.experiment_id).info.run_id
    store.client.log_text(run, "here", "a.txt")
    (path,) = root.glob("mlartifacts/**/a.txt")
    assert path.read_text() == "here"
    assert [file.path for file in store.client.list_artifacts(run)] == ["a.txt"]
    assert not [path for path in workspace.iterdir() if path.is_file()]


@pytest.mark.parametrize("name", ODD)
def test_a_sweeps_database_lies_in_the_repository(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / name)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    open_storage(_resolve_storage_url(""))
    assert (tmp_path / name / "optuna.db").exists()
    assert [path.name for path in tmp_path.iterdir()] == [name]
