"""`vision sweep`, as a person runs it, beside a workspace that stays as it is."""

import csv
import json
import sqlite3

import pytest
from clones import Clone, make_clone
from ruamel.yaml import YAML

TINY = """\
about: A tiny search
model: mnist-mlp
trials: 9
seed: 0
space:
  train.lr: {low: 1.0e-5, high: 0.5, log: true}
  hidden: {choices: [[8], [16, 8]]}
prune: {after_trials: 1, after_epochs: 1}
"""
VISION = ("python", "-m", "vision_pipeline.cli.main")
FILES = ["importance.png", "parallel.png", "table.md", "trials.csv"]


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Clone:
    """A clone whose sweep `tiny` was run in two shells at once."""
    clone = make_clone(tmp_path_factory.mktemp("sweep"))
    (clone.root / "sweeps/tiny.yaml").write_text(TINY)
    clone.commit("A sweep")
    for shell in [clone.start(*VISION, "sweep", "tiny") for _ in range(2)]:
        output, _ = shell.communicate()
        assert shell.returncode == 0, output[-6000:]
    return clone


def trials(clone: Clone) -> list[dict[str, str]]:
    with (clone.root / "reports/sweeps/tiny/trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_two_shells_share_its_trials_and_change_nothing_else(clone):
    rows = trials(clone)
    assert [row["trial"] for row in rows] == [f"tiny-{number:04}" for number in range(len(rows))]
    assert len(rows) in (9, 10)  # both may begin the last one
    assert {row["state"] for row in rows} == {"finished", "pruned"}
    assert len({row["train.lr"] for row in rows}) == len(rows)
    changed = clone.run("git", "status", "--porcelain", "--untracked-files=all").splitlines()
    written = [line.removeprefix("?? reports/sweeps/tiny/") for line in changed]
    assert [name for name in written if name != "importance.png"] == FILES[1:]


@pytest.mark.slow
def test_each_trial_is_a_run_and_a_pruned_one_is_killed_and_says_so(clone):
    with sqlite3.connect(clone.root / "mlflow.db") as database:
        found = database.execute(
            "SELECT name.value, status, pruned.value FROM runs"
            " JOIN tags AS name ON name.run_uuid = runs.run_uuid AND name.key = 'dvc.exp_name'"
            " LEFT JOIN tags AS pruned ON pruned.run_uuid = runs.run_uuid AND pruned.key = 'pruned'"
        )
        runs = {name: (status, pruned) for name, status, pruned in found}
    ends = {"finished": ("FINISHED", None), "pruned": ("KILLED", "true")}
    assert runs == {row["trial"]: ends[row["state"]] for row in trials(clone)}


@pytest.mark.slow
def test_only_finished_trials_are_dvc_experiments_which_have_their_values_and_weights(clone):
    finished = [row for row in trials(clone) if row["state"] == "finished"]
    references = clone.run("git", "for-each-ref", "--format=%(refname)", "refs/exps").split()
    commits = {name.rpartition("/")[2]: name for name in references if "/tiny-" in name}
    assert sorted(commits) == [row["trial"] for row in finished]
    for row in finished:
        params = YAML(typ="safe").load(clone.run("git", "show", f"{commits[row['trial']]}:params.yaml"))
        assert params["models"]["mnist-mlp"]["train"]["lr"] == pytest.approx(float(row["train.lr"]), rel=1e-7)
        assert "outs:\n    - path: models/mnist-mlp" in clone.run("git", "show", f"{commits[row['trial']]}:dvc.lock")


@pytest.mark.slow
def test_the_time_of_its_trainings_is_known_to_a_plan(clone):
    noted = json.loads((clone.root / ".cache/durations.json").read_text())
    assert {one["epochs"] for one in noted["train@mnist-mlp"]} == {2}
    planned = [line.split()[:2] for line in clone.run(*VISION, "plan").splitlines()]
    assert ["evaluate@mnist-mlp", "no"] in planned  # no past run here
    (seconds,) = [time for stage, time in planned if stage == "train@mnist-mlp"]
    assert seconds.isdigit()


@pytest.mark.slow
def test_a_sweep_that_is_done_trains_nothing_more(clone):
    before = trials(clone)
    output = clone.run(*VISION, "sweep", "tiny")
    assert "Running" not in output
    assert trials(clone) == before
