"""`vision doctor`: what is well, and each finding with a faked state."""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException
from ruamel.yaml import YAML
from tiny_project import git
from typer.testing import CliRunner

from stages.commands.doctor_checks import data, disk, environment, leftovers, machine, tracking
from stages.commands.doctor_checks.finding import NOTE, OK, PROBLEM, Finding
from stages.commands.main import app
from stages.tracking.store import Store, open_store


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A repository in which all is well, the working folder; no mirror, no GPU."""
    root = tmp_path / "place"
    for folder in ("data/catalog", "data/texts"):
        shutil.copytree(repository / folder, root / folder)
    for file in ("params.yaml", "pyproject.toml"):
        shutil.copy(repository / file, root)
    (root / "requirements.lock").write_text(f"numpy=={version('numpy')}\n")
    monkeypatch.chdir(root)
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "A start"]):
        git(*command)
    (root / ".dvc/tmp").mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    for name in ("DATA_MIRROR", "DVC_ROOT", "TRACKING", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    return root


def only(check: Iterator[Finding]) -> tuple[str, str, str]:
    """Of the one thing that a check finds, level, what is so and the fix."""
    (found,) = check
    return found.level, found.about, found.fix


def change(root: Path, edit: Callable[[dict], object]) -> None:
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    edit(params)
    yaml.dump(params, root / "params.yaml")


def dead_process() -> int:
    """The number of a process that has been."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_where_all_is_well_nothing_is_changed_and_the_exit_code_is_0(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "_STAGE", 0)  # a small machine is no error of the code
    for amount in ("_DATA", "_ARRAYS_TWICE"):
        monkeypatch.setattr(disk, amount, 0)
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*") if path.is_file()}
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert done.exit_code == 0, done.output
    levels = [line.split()[0] for line in done.output.splitlines()]
    assert len(levels) == 18 and PROBLEM not in levels  # both programs are one check
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


def test_another_python_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.platform, "python_version", lambda: "3.14.0")
    assert only(environment.python())[0] == NOTE


def test_packages_that_are_missing_or_others(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"torch": ("2.0", None), "types-x": ("1", None), "numpy": ("1.0", "2.0")}
    monkeypatch.setattr(environment, "other_versions", lambda lock: found)
    told = [(one.level, one.about) for one in environment.packages()]
    assert told == [
        (PROBLEM, "missing: torch"),
        (NOTE, "missing, and perhaps not needed: types-x"),
        (
            NOTE,
            "other versions than in requirements.lock: numpy 2.0 (locked: 1.0); results may differ in their last bits",
        ),
    ]


def test_the_python_of_another_environment_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = place / "bin"
    other.mkdir()
    (other / "python").write_text("#!/bin/sh\n")
    (other / "python").chmod(0o755)
    monkeypatch.setenv("PATH", str(other))
    python, dvc = environment.programs()
    assert python.level == dvc.level == PROBLEM
    assert f"`python` on PATH is {other}/python" in python.about and python.fix == f". {sys.prefix}/bin/activate"
    assert dvc.about == "`dvc` is not on PATH"
    assert only(environment.git_repository())[1] == "git is not on PATH"


def test_a_folder_that_is_no_repository_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    level, about, _ = only(environment.git_repository())
    assert level == PROBLEM and "not a git repository" in about


def test_a_gpu_that_torch_does_not_see_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert only(machine.device())[0] == OK
    monkeypatch.setattr(machine, "gpus", lambda: 2)
    unseen, chosen = machine.device()
    assert unseen.level == PROBLEM and "2 GPU with a driver" in unseen.about
    assert chosen.about.startswith("`device: auto` is ")


def test_torch_that_cannot_be_imported_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert only(machine.device())[0] == PROBLEM


@pytest.mark.parametrize(("threads", "quota", "level"), [
    (0, "max 100000", OK), (1000, "max 100000", NOTE), (0, "50000 100000", NOTE), (1, "100000 100000", OK),
])  # fmt: skip
def test_threads_that_wait_for_one_another_are_noted(
    place: Path, monkeypatch: pytest.MonkeyPatch, threads: int, quota: str, level: str
) -> None:
    (place / "quota").write_text(quota)
    monkeypatch.setattr(machine, "_QUOTA", place / "quota")
    change(place, lambda params: params.update(threads=threads))
    assert only(machine.cores())[0] == level


@pytest.mark.parametrize(("free", "level"), [(500_000, PROBLEM), (2_500_000, NOTE), (8_000_000, OK)])
def test_memory(place: Path, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    (place / "meminfo").write_text(f"MemTotal: 9 kB\nMemAvailable:  {free} kB\n")
    monkeypatch.setattr(machine, "_MEMORY", place / "meminfo")
    monkeypatch.setattr(machine, "stages_at_once", lambda: 4)
    found = only(machine.memory())
    assert found[0] == level
    assert (found[2] == "vision repro --jobs 2") == (level == NOTE)


@pytest.mark.parametrize(("free", "level"), [(2.2e9, PROBLEM), (4.5e9, NOTE), (4.7e9, OK)])
def test_disk(monkeypatch: pytest.MonkeyPatch, free: float, level: str) -> None:
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(0, 0, free))
    assert only(disk.disk())[0] == level


def test_a_folder_of_another_user_is_a_problem(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(disk.folder())[0] == OK
    monkeypatch.setattr(disk.os, "access", lambda path, how: path != ".dvc")
    assert only(disk.folder()) == (
        PROBLEM, "not to be written by this user: .dvc", "sudo chown -R $USER .dvc"
    )  # fmt: skip


def test_a_file_system_without_links_is_noted(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dvc_objects.fs import system

    def refuse(source: str, link: str) -> None:
        raise OSError("not supported")

    monkeypatch.setattr(system, "reflink", refuse)
    assert only(disk.links()) == (OK, "DVC's cache is linked by hardlink", "")
    monkeypatch.setattr(system, "hardlink", refuse)
    assert only(disk.links())[0] == NOTE


def test_a_lock_that_is_held_is_noted_and_a_dead_holders_is_not_waited_for(place: Path) -> None:
    tmp = place / ".dvc/tmp"
    (tmp / "lock").write_text(f"{os.getpid()}\n")
    assert only(leftovers.locks())[0] == OK  # the file stays when the lock is gone
    with (tmp / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert only(leftovers.locks()) == (
            NOTE, f"held, so something runs here: lock (process {os.getpid()})", "wait for it"
        )  # fmt: skip
    dead = dead_process()
    (tmp / "lock").write_text(f"/x/.dvc/tmp/lock|host|{dead}|1234")
    assert only(leftovers.locks())[0] == PROBLEM


def test_what_dvc_noted_of_processes_that_are_gone(place: Path) -> None:
    file, dead = place / ".dvc/tmp/rwlock", dead_process()
    held = {"write": {"/a": {"pid": os.getpid(), "cmd": "x"}}, "read": {"/b": [{"pid": dead, "cmd": "x"}]}}
    file.write_text(json.dumps(held))
    level, about, _ = only(leftovers.locks())
    assert (level, about) == (NOTE, f".dvc/tmp/rwlock names processes that are gone ({dead})")
    file.write_text("{")
    assert only(leftovers.locks())[0] == PROBLEM


def test_what_was_half_written_is_noted_unless_its_process_runs(place: Path) -> None:
    (place / f"data/.a.csv.{os.getpid()}.partial").touch()
    assert only(leftovers.temporary())[0] == OK
    (place / f"data/.b.csv.{dead_process()}.partial").touch()
    (place / "models/.m.partial").mkdir(parents=True)
    level, about, fix = only(leftovers.temporary())
    assert level == NOTE
    assert "models/.m.partial" in about and ".b.csv" in about and ".a.csv" not in about
    assert "models/.m.partial" in fix


def test_what_git_has_put_aside_is_noted(place: Path) -> None:
    assert only(leftovers.stash())[0] == OK
    (place / "params.yaml").write_text("changed")
    git("stash", "push", "-q")
    level, about, _ = only(leftovers.stash())
    assert level == NOTE and about.startswith("git's stash has 1;")


def test_runs_of_dead_processes_are_noted_and_stay_as_they_are(place: Path) -> None:
    import socket

    assert only(tracking.mlflow()) == (OK, "no store yet, or TRACKING is off", "")
    assert not (place / "mlflow.db").exists()
    store = open_store()
    tags = {"host": socket.gethostname(), "host.pid": str(dead_process())}
    run = store.client.create_run(store.experiment_id, tags=tags).info.run_id
    assert only(tracking.mlflow()) == (
        NOTE, "1 runs are RUNNING, but their process is gone", "vision sync closes them"
    )  # fmt: skip
    assert store.client.get_run(run).info.status == "RUNNING"


def test_a_store_that_does_not_open_is_a_problem(place: Path) -> None:
    (place / "mlflow.db").write_bytes(b"no database" * 100)
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert done.exit_code == 1
    assert "PROBLEM  MLflow      MLflow's store sqlite:///" in done.output


def test_the_stores_password_is_not_shown(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(None, "postgresql://me:s3cret@db/mlflow", "1")
    monkeypatch.setattr("stages.tracking.store.open_if_there", lambda: store)
    monkeypatch.setattr("stages.tracking.search.dead_runs", lambda store: [])
    assert only(tracking.mlflow()) == (OK, "postgresql://me:***@db/mlflow opens", "")


def test_a_store_that_fails_ends_no_other_check(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(store: Store) -> None:
        raise MlflowException("the server was restarted")

    open_store()
    monkeypatch.setattr("stages.tracking.search.dead_runs", fails)
    done = CliRunner().invoke(app, ["doctor", "--offline"])
    assert "PROBLEM  MLflow      the runs of killed processes cannot be told: MLflow's store" in done.output
    assert "OK       Optuna" in done.output.replace("ok ", "OK ")


def test_the_sweeps_database(place: Path) -> None:
    with sqlite3.connect("optuna.db") as database:
        database.execute("CREATE TABLE studies (study_id INTEGER)")
        database.execute("INSERT INTO studies VALUES (1)")
    assert only(tracking.optuna()) == (OK, "optuna.db has 1 sweep", "")
    Path("optuna.db").write_bytes(b"no database" * 100)
    assert only(tracking.optuna())[0] == PROBLEM


def test_data_that_cannot_be_had(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def edit(params: dict) -> None:
        params["datasets"]["mnist"]["source"] = "mirror"
        params["datasets"]["hello"] |= {"kind": "text", "path": "gone.txt"}

    change(place, edit)
    monkeypatch.setattr(data, "better_source", lambda name, *rest: "official" if name == "cifar10" else None)
    found = [(one.level, one.about) for one in data.sources(offline=False)]
    assert (PROBLEM, "mnist: neither DATA_MIRROR nor a host has it, and datasets.mnist.source is 'mirror'") in found
    assert (PROBLEM, "gone.txt, where hello is to come from, is not there") in found
    nowhere = "cats_dogs: neither DATA_MIRROR nor a host has it, so a small stand-in is drawn, where there is one"
    assert (NOTE, nowhere) in found
    assert not any("cifar10" in about for _, about in found)


def test_a_stand_in_at_hand_is_noted(place: Path) -> None:
    folder = place / "data/raw/mnist"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": "stand-in", "source": "stand-in", "files": {}}))
    (found,) = data.sources(offline=True)
    assert (found.level, found.fix) == (NOTE, "dvc repro -f -s download@mnist")
