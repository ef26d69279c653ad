"""DVC's experiments as a person uses them: queued, compared, applied, shared; each model has its MLflow run."""

import json
import re
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest
from clones import Clone, make_clone

VISION = ("python", "-m", "vision_pipeline.cli.main")
MODEL = "mnist-logistic"
RATE = f"models.{MODEL}.train.lr"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone with two small models, trained, and remotes of git and DVC."""
    root = tmp_path_factory.mktemp("experiments")
    clone = make_clone(root / "clone")
    _two_models(clone)
    clone.run("dvc", "repro")
    clone.run("dvc", "remote", "add", "--default", "store", str(root / "store"))
    clone.commit("Two models")
    subprocess.run(["git", "clone", "-q", "--bare", str(clone.root), str(root / "origin.git")], check=True)
    clone.run("git", "remote", "add", "origin", str(root / "origin.git"))
    return clone


def _two_models(clone: Clone) -> None:
    from ruamel.yaml import YAML

    path = clone.root / "params.yaml"
    params = YAML().load(path)
    params["generators"] = {}
    params["models"] = {name: params["models"][name] for name in (MODEL, "mnist-mlp")}
    YAML().dump(params, path)


def experiments(clone: Clone) -> dict[str, str]:
    """The commit of each experiment, by name."""
    lines = clone.run("git", "for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").splitlines()
    return {line.rpartition("/")[2]: line.split()[0] for line in lines if line.count("/") == 4}


def keys(clone: Clone, commit: str) -> dict[str, str]:
    """The key of each model's training in a commit."""
    files = clone.run("git", "ls-tree", "-r", "--name-only", commit, "reports/models/").splitlines()
    reports = [Path(file) for file in files if file.endswith("/train.json")]
    return {file.parent.name: json.loads(clone.run("git", "show", f"{commit}:{file}"))["key"] for file in reports}


def finished_runs(root: Path) -> dict[str, int]:
    """How many finished MLflow runs each training key has."""
    with sqlite3.connect(root / "mlflow.db") as database:
        return dict(
            database.execute(
                "SELECT value, count(*) FROM tags JOIN runs USING (run_uuid)"
                " WHERE key = 'pipeline.key' AND status = 'FINISHED' GROUP BY value"
            )
        )


def test_a_queue_of_a_range_and_choices_is_run_by_two_workers(clone):
    before = set(experiments(clone))
    clone.run("dvc", "exp", "run", "--queue", "-S", f"{RATE}=range(0.01,0.03,0.01)", f"evaluate@{MODEL}")
    clone.run("dvc", "exp", "run", "--queue", "-S", f"{RATE}=choice(0.04,0.05)", f"evaluate@{MODEL}")
    clone.run("dvc", "queue", "start", "-j", "2", OMP_WAIT_POLICY="passive", GOMP_SPINCOUNT="1000")
    end = time.monotonic() + 300
    while any(word in clone.run("dvc", "queue", "status") for word in ("Queued", "Running")):
        assert time.monotonic() < end, clone.run("dvc", "queue", "status")
        time.sleep(1)
    made = {name: commit for name, commit in experiments(clone).items() if name not in before}
    assert len(made) == 4, clone.run("dvc", "queue", "status")
    trained = {keys(clone, commit)[MODEL] for commit in made.values()}
    assert len(trained) == 4
    assert {finished_runs(clone.root).get(key) for key in trained} == {1}


def test_every_model_of_every_experiment_has_its_run(clone):
    clone.run(*VISION, "sync")
    runs = finished_runs(clone.root)
    for commit in experiments(clone).values():
        assert {runs.get(key) for key in keys(clone, commit).values()} == {1}


def test_an_experiment_in_a_temporary_copy_finds_a_relative_mirror(clone):
    (clone.root / "mirror").mkdir(exist_ok=True)
    output = clone.run(
        "dvc", "exp", "run", "--temp", "--name", "mirrored", "-S", f"{RATE}=0.06", f"train@{MODEL}",
        DATA_MIRROR="mirror",
    )  # fmt: skip
    assert "is not a folder" not in output
    assert "mirrored" in experiments(clone)


def test_a_subset_of_the_models_is_an_experiment(clone):
    output = clone.run(
        "dvc", "exp", "run", "--temp", "--name", "alone", "-S", "~models.mnist-mlp", "-S", f"{RATE}=0.07"
    )
    assert "mnist-mlp" not in clone.run("git", "show", f"{experiments(clone)['alone']}:reports/leaderboard.csv")
    assert "train@mnist-mlp" not in output


def test_an_experiment_is_compared_applied_and_kept(clone):
    clone.run("dvc", "exp", "run", "--temp", "--name", "slow", "-S", f"{RATE}=1e-5")
    shown = clone.run(*VISION, "diff", "HEAD", "slow")
    assert "mnist-mlp       the same training" in shown
    assert re.search(rf"{MODEL}  [\d.]+% → [\d.]+%  -[\d.]+ \(.* to .*\), p [\d.e-]+: (worse|not told apart)", shown)
    difference = clone.run("dvc", "exp", "diff", "HEAD", "slow")
    assert f"models.{MODEL}.train.lr" in difference
    clone.run("dvc", "exp", "apply", "slow")
    assert clone.run("dvc", "status").split() == ["stages/dvc.yaml:check:", "always", "changed"]
    assert f"{MODEL}" in clone.run(*VISION, "sync")
    clone.commit("The slow one")


def test_a_pushed_experiment_is_pulled_and_applied_in_another_clone(clone, tmp_path):
    clone.run("dvc", "exp", "run", "--temp", "--name", "shared", "-S", f"{RATE}=0.08")
    clone.run("git", "push", "-q", "origin", "HEAD")
    clone.run("dvc", "exp", "push", "origin", "shared")
    clone.run("dvc", "push", "-q")
    other = Clone(tmp_path / "other")
    subprocess.run(["git", "clone", "-q", str(clone.root.parent / "origin.git"), str(other.root)], check=True)
    other.run("dvc", "exp", "pull", "origin", "shared")
    other.run("dvc", "exp", "apply", "shared")
    other.run("dvc", "pull", "--allow-missing")
    assert "train@" not in other.run("dvc", "repro", "--dry", f"export@{MODEL}").replace("Stage 'train@", "")
    told = other.run(*VISION, "sync")
    assert "2 trainings" in told or "4 trainings" in told
    runs = finished_runs(other.root)
    assert {runs.get(key) for key in keys(other, experiments(other)["shared"]).values()} == {1}
    assert keys(clone, experiments(clone)["shared"]) == keys(other, experiments(other)["shared"])
