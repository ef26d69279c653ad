"""Trainings that are killed, as it happens to people: the stage, DVC itself, Ctrl-C, a signal.

They leave traces in the clones: this file comes after test_pipeline.py.
"""

import random
import signal
import sqlite3
import time
from pathlib import Path

import psutil
import pytest
from clones import Clone, finished
from ruamel.yaml import YAML

EPOCHS = 150


def entry(root: Path, stage: str) -> dict:
    """What dvc.lock says of a stage."""
    return YAML(typ="safe").load(root / "dvc.lock")["stages"][stage]


def experiment_entry(clone: Clone, name: str, stage: str) -> dict:
    """What the dvc.lock of an experiment says of a stage."""
    refs = clone.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    (ref,) = (ref for ref in refs if ref.endswith(f"/{name}"))
    return YAML(typ="safe").load(clone.run("git", "show", f"{ref}:dvc.lock"))["stages"][stage]


def training(root: Path) -> list[psutil.Process]:
    """The processes that train in a clone, or in a throw-away copy that DVC keeps inside it."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        try:
            if "stages.train" in (process.info["cmdline"] or []) and root in (cwd := Path(process.cwd()), *cwd.parents):
                found.append(process)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


def until(true, seconds: float, what: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def started(clone: Clone, model: str):
    """A `dvc repro` of a training, once the stage runs."""
    dvc = clone.start("dvc", "repro", "-s", f"train@{model}")
    until(lambda: training(clone.root) or dvc.poll() is not None, 60, "the stage did not start")
    return dvc


def kill(clone: Clone, dvc, whom: str) -> None:
    """End a training in one of the ways in which trainings end; afterwards nothing of it is left."""
    stage = training(clone.root)
    if whom == "dvc":
        dvc.kill()
    elif stage:
        stage[0].send_signal({"stage": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}[whom])
    dvc.communicate()
    until(lambda: not training(clone.root), 20, "an orphan goes on training")


def check_killed(clones, params, model: str, ways: list[str], seed: int) -> None:
    """Kill a training of the first clone at random moments; the outcome is the second clone's, left alone."""
    killed, alone = clones
    for clone in clones:
        clone.change(**{f"models__{model}__train__epochs": EPOCHS, f"models__{model}__train__patience": 0})
    finished(alone.start("dvc", "repro", "-s", f"train@{model}"))
    chance = random.Random(seed)
    for whom in ways:
        dvc = started(killed, model)
        time.sleep(chance.uniform(0, 8))
        kill(killed, dvc, whom)
    finished(started(killed, model))
    assert entry(killed.root, f"train@{model}") == entry(alone.root, f"train@{model}")
    check_run(killed.root, model)


def check_run(root: Path, model: str) -> str:
    """The last MLflow run of a model, which is finished and has each epoch once."""
    with sqlite3.connect(root / "mlflow.db") as database:
        ((run, status),) = database.execute(
            "SELECT run_uuid, status FROM runs WHERE name = ? ORDER BY start_time DESC LIMIT 1", [model]
        )
        steps = database.execute("SELECT step FROM metrics WHERE run_uuid = ? AND key = 'val_loss'", [run]).fetchall()
        open_runs = database.execute("SELECT count(*) FROM runs WHERE status = 'RUNNING'").fetchone()
    assert status == "FINISHED"
    assert sorted(steps) == [(epoch,) for epoch in range(1, EPOCHS + 1)]
    assert open_runs == (0,)
    return run


@pytest.mark.parametrize("ways", [["stage", "dvc"]])
def test_a_killed_training_ends_with_the_same_bits(clones, params, ways):
    check_killed(clones, params, "mnist-cnn", ways, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["mnist-mlp-wide", "mnist-speednet", "cifar10-cnn", "cats_dogs-densenet121"])
def test_killed_at_twenty_moments(clones, params, model):
    check_killed(clones, params, model, ["stage", "dvc", "Ctrl-C", "SIGTERM", "stage"], seed=1)


def experiment(name: str, model: str, rate: float) -> list[str]:
    """Options of `dvc exp run` for a longer training; with a learning rate of its own, or DVC's cache would have it."""
    changes = (f"models.{model}.train.{change}" for change in (f"epochs={EPOCHS}", f"lr={rate}"))
    return ["--name", name, *(option for change in changes for option in ("-S", change)), f"train@{model}"]


def running(root: Path) -> list[tuple[str, int]]:
    """The id and the number of logged epochs of each MLflow run that is under way."""
    with sqlite3.connect(root / "mlflow.db") as database:
        return database.execute(
            "SELECT run_uuid, count(step) FROM runs JOIN metrics USING (run_uuid)"
            " WHERE status = 'RUNNING' AND key = 'val_loss' GROUP BY run_uuid"
        ).fetchall()


def under_way(root: Path) -> str:
    """The MLflow run of a training, once some epochs are done."""
    until(lambda: any(epochs > 2 for _, epochs in running(root)), 120, "no epoch was logged")
    ((run, _),) = running(root)
    return run


def check_experiment(clones, model: str, rate: float, run: str) -> None:
    """An experiment that was killed, run again, is the same MLflow run and ends with the bits of one left alone."""
    killed, alone = clones
    until(lambda: not training(killed.root), 20, "an orphan goes on training")
    assert running(killed.root) == []
    killed.run("dvc", "exp", "run", "--temp", *experiment("again", model, rate))
    alone.change(**{f"models__{model}__train__epochs": EPOCHS, f"models__{model}__train__lr": rate})
    finished(alone.start("dvc", "repro", "-s", f"train@{model}"))
    assert experiment_entry(killed, "again", f"train@{model}") == entry(alone.root, f"train@{model}")
    assert check_run(killed.root, model) == run
    killed.run("dvc", "exp", "remove", "again")


@pytest.mark.slow
def test_a_killed_experiment_in_a_temporary_copy_is_gone_on_with(clones, params):
    killed, model, rate = clones[0], "mnist-cnn", 0.002
    killed.commit("Results")
    dvc = killed.start("dvc", "exp", "run", "--temp", *experiment("first", model, rate))
    run = under_way(killed.root)
    dvc.kill()
    dvc.communicate()
    check_experiment(clones, model, rate, run)


@pytest.mark.slow
def test_a_queued_experiment_killed_by_dvc_is_gone_on_with(clones, params):
    killed, model, rate = clones[0], "mnist-cnn", 0.001
    killed.commit("Results")
    killed.run("dvc", "exp", "run", "--queue", *experiment("queued", model, rate))
    killed.start("dvc", "queue", "start").wait()  # its output ends with the last experiment of the queue
    try:
        run = under_way(killed.root)
        killed.run("dvc", "queue", "kill", "queued")
        until(lambda: not training(killed.root), 60, "the training goes on")
    finally:
        killed.run("dvc", "queue", "stop", "--kill")
    check_experiment(clones, model, rate, run)
