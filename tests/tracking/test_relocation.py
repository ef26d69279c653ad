"""A repository that is copied or moved: where its database looks for the files of its runs and models."""

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracking.sample_runs import KEY, runs, train
from vision_pipeline.cli.doctor import stale_state
from vision_pipeline.cli.doctor.finding import NOTE
from vision_pipeline.tracking.registry import get_or_create_version, latest_exported
from vision_pipeline.tracking.relocation import find_former_roots
from vision_pipeline.tracking.store import open_store


@pytest.fixture
def logged(workspace: Path) -> Path:
    """A repository whose store has a run with a file, an exported model and a version of it."""
    (workspace / "dvc.yaml").touch()
    with train() as run:
        run.log_artifacts(Path("reports/models/mnist-mlp/history.csv"))
    store = open_store()
    model = store.client.create_logged_model(store.experiment_id, "any", source_run_id=run.id)
    Path("exported").mkdir()
    Path("exported/MLmodel").touch()
    store.client.log_model_artifacts(model.model_id, "exported")
    store.client.finalize_logged_model(model.model_id, "READY")
    get_or_create_version(store, "mnist", latest_exported(store, KEY), tags={}, description="")
    return workspace


@pytest.fixture
def enter(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Bring a repository to another folder by `bring`, and work there."""

    def work_in(repository: Path, bring: Callable[[Path, Path], object]) -> Path:
        place = tmp_path_factory.mktemp("other") / "a copy"
        monkeypatch.chdir("/")
        bring(repository, place)
        monkeypatch.chdir(place)
        monkeypatch.setenv("DVC_ROOT", str(place))
        return place

    return work_in


def _with_path(path: Path) -> set[str]:
    """Return the columns of the database here that name a path, but for the tag with a process's lock."""
    columns = set()
    with sqlite3.connect("mlflow.db") as database:
        for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            for _, name, *_ in database.execute(f"PRAGMA table_info({table})").fetchall():
                (count,) = database.execute(
                    f'SELECT count(*) FROM "{table}" WHERE instr("{name}", ?)', [f"{path}/"]
                ).fetchone()
                columns |= {f"{table}.{name}"} if count else set()
    return columns


def _files(root: Path) -> set[Path]:
    return {path.relative_to(root) for path in (root / "mlartifacts").rglob("*") if path.is_file()}


@pytest.mark.parametrize("bring", [shutil.copytree, shutil.move])
def test_a_copied_or_moved_repository_has_its_own_files(logged, enter, capsys, bring):
    assert {"runs.artifact_uri", "model_versions.storage_location"} < _with_path(logged)
    before = _files(logged)
    here = enter(logged, bring)
    (finding,) = stale_state.check_mlflow()
    assert (finding.level, finding.fix[:11]) == (NOTE, "vision sync")
    assert f"this repository was at {logged}" in finding.message
    open_store()
    line = f"this repository was at {logged}; its MLflow runs (1) now point to mlartifacts here\n"
    assert capsys.readouterr().out == line
    assert _with_path(logged) == set()
    with train(key="fedcba9876543210") as run:
        run.log_artifacts(Path("reports/models/mnist-mlp/history.csv"))
    assert len(_files(here)) == len(before) + 1
    assert _files(logged) == (before if bring is shutil.copytree else set())
    store = open_store()
    model = store.client.get_logged_model(latest_exported(store, KEY).model_id)
    assert model.artifact_location.startswith(here.as_uri())
    assert (here / "mlartifacts/models" / model.model_id / "artifacts/MLmodel").exists()
    assert capsys.readouterr() == ("", "")


def test_another_name_of_the_same_folder_changes_nothing(logged, enter, capsys):
    def move_and_link(old: Path, new: Path) -> None:
        shutil.move(old, new)
        old.symlink_to(new)

    enter(logged, move_and_link)
    open_store()
    assert len(runs()) == 1
    assert "experiments.artifact_location" in _with_path(logged)
    assert capsys.readouterr() == ("", "")


def _database_alone(old: Path, new: Path) -> None:
    new.mkdir()
    for file in ("mlflow.db", "params.yaml"):
        shutil.copy(old / file, new)


def test_files_that_stayed_behind_are_missed(logged, enter, capsys):
    enter(logged, _database_alone)
    open_store()
    assert capsys.readouterr().err == (
        f"WARNING: the files of 2 MLflow runs and models are still in {logged}/mlartifacts; "
        f"`cp -rn {logged}/mlartifacts .` brings them\n"
    )


def test_files_that_are_nowhere_are_missed(logged, enter, capsys):
    def without_files(old: Path, new: Path) -> None:
        shutil.move(old, new)
        shutil.rmtree(new / "mlartifacts")

    enter(logged, without_files)
    open_store()
    assert "mlartifacts did not come along, and is gone there; `vision sync` logs again" in capsys.readouterr().err


def test_a_database_that_several_share_is_left_as_it_is(logged, enter, monkeypatch, tmp_path_factory, capsys):
    shared = tmp_path_factory.mktemp("shared") / "all.db"
    shutil.copy(logged / "mlflow.db", shared)
    enter(logged, shutil.copytree)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{shared}")
    assert open_store().client.get_experiment("1").artifact_location == f"{logged.as_uri()}/mlartifacts"
    assert capsys.readouterr() == ("", "")


def test_a_folder_for_files_that_somebody_chose_is_kept(workspace, tmp_path_factory):
    disk = tmp_path_factory.mktemp("disk") / "mlartifacts"
    store = open_store()
    store.client.create_experiment("by hand", disk.as_uri())
    disk.mkdir()
    assert find_former_roots(workspace / "mlflow.db") == []
    disk.rmdir()
    assert find_former_roots(workspace / "mlflow.db") == [disk.parent]


def test_an_experiments_throw_away_copy_uses_the_repositorys_store(logged, monkeypatch, tmp_path_factory, capsys):
    copy = tmp_path_factory.mktemp("throw-away")
    shutil.copytree(logged, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns("mlflow.db", "mlartifacts"))
    monkeypatch.chdir(copy)  # DVC_ROOT names the repository
    open_store()
    assert len(runs()) == 1 and not Path("mlflow.db").exists()
    assert capsys.readouterr() == ("", "")
