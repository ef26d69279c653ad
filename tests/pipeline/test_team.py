"""Two workers, a server on PostgreSQL and a bucket, all on this machine: what they share, and what no outage loses."""

import csv
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from clones import Clone, finished, make_clone
from test_sweep import TINY, VISION

from docs.team import Servers, missing, servers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"needs {missing()}; docs/team.md says how"),
]
_SECONDS = 120
LOOP = """
import sys
from pathlib import Path
from vision_pipeline.tracking.lifecycle import train_run
settings = {"name": "a-model", "seed": 0, "model": {"train": {"lr": 0.1}}}
with train_run("a-model", settings, Path("data/prepared/mnist"), {"key": "0123456789abcdef"}) as run:
    for epoch in range(1, 6):
        run.epoch(epoch, {"val_accuracy": epoch / 10})
        print("logged", epoch, flush=True)
        sys.stdin.readline()
"""


@dataclass(frozen=True)
class Team:
    """The servers, and two clones that know them."""

    servers: Servers
    first: Clone
    second: Clone

    def start(self, clone: Clone, *command: str, **environment: str) -> subprocess.Popen:
        """Start a worker's command."""
        return clone.start(*command, **self.servers.variables() | {"TRACKING": "on"} | environment)

    def run(self, clone: Clone, *command: str, **environment: str) -> str:
        """The output of a worker's command, which shows no password."""
        output = finished(self.start(clone, *command, **environment))
        assert self.servers.password not in output
        return output

    def runs(self, condition: str = "") -> list[Any]:
        """The server's."""
        return self.client.search_runs(["1"], condition)

    @property
    def client(self) -> Any:
        from mlflow import MlflowClient

        return MlflowClient(self.servers.variables()["MLFLOW_TRACKING_URI"])


@pytest.fixture(scope="module")
def team(tmp_path_factory) -> Iterator[Team]:
    """Two workers; the first has trained and tested a model and pushed it, the second has pulled it."""
    with servers() as started, pytest.MonkeyPatch.context() as patch:
        for name, value in started.variables().items():
            patch.setenv(name, value)
        first, second = make_clone(tmp_path_factory.mktemp("first")), Clone(tmp_path_factory.mktemp("in") / "second")
        (first.root / "sweeps/tiny.yaml").write_text(TINY)
        team = Team(started, first, second)
        remember(team, first)
        team.run(first, "dvc", "repro", "evaluate@mnist-mlp")
        first.commit("A model")
        team.run(first, "dvc", "push", "evaluate@mnist-mlp", "train@mnist-mlp", "prepare@mnist")
        subprocess.run(["git", "clone", "-q", first.root, second.root], check=True)
        remember(team, second)
        team.run(second, "dvc", "pull", "evaluate@mnist-mlp", "train@mnist-mlp", "prepare@mnist")
        yield team


def remember(team: Team, clone: Clone) -> None:
    """Tell DVC of the bucket, in the file that git does not keep."""
    known = team.servers.variables()
    team.run(clone, "dvc", "remote", "add", "--local", "-d", "bucket", known["REMOTE_URL"])
    team.run(clone, "dvc", "remote", "modify", "--local", "bucket", "endpointurl", known["AWS_ENDPOINT_URL"])


def until(ready: Callable[[], object]) -> None:
    """Wait for what must come."""
    end = time.monotonic() + _SECONDS
    while not ready():
        assert time.monotonic() < end
        time.sleep(0.1)


def test_what_one_pushed_the_other_has_and_runs_nothing_again(team):
    assert "Running stage" not in team.run(team.second, "dvc", "repro", "-s", "train@mnist-mlp")
    for path in ("models/mnist-mlp/checkpoint.pth", "data/prepared/mnist/train/inputs.npy"):
        assert (team.second.root / path).read_bytes() == (team.first.root / path).read_bytes()


def test_the_other_sees_the_run_in_the_server(team):
    output = team.run(team.second, *VISION, "sync")
    assert {line.split()[-1] for line in output.splitlines() if line.startswith("mnist-mlp")} == {"present"}
    (run,) = team.runs("attributes.run_name = 'mnist-mlp'")
    chain = team.run(team.second, *VISION, "inspect", "mnist-mlp")
    assert f"MLflow       run {run.info.run_id}, FINISHED" in chain
    assert "no experiment began from this commit" in team.run(team.second, *VISION, "show")


def test_the_artifacts_lie_in_the_bucket_and_come_through_the_server(team):
    import boto3

    (run,) = team.runs("attributes.run_name = 'mnist-mlp'")
    assert run.info.artifact_uri.startswith("mlflow-artifacts:/")
    listed = boto3.client("s3").list_objects_v2(Bucket="team", Prefix=f"mlflow/1/{run.info.run_id}/")
    names = {one["Key"].rpartition("/")[2] for one in listed["Contents"]}
    assert names > {"train.json", "history.csv", "predictions.csv"}


def test_no_run_and_no_file_of_git_has_a_password(team):
    for run in team.runs():
        assert team.servers.password not in str(run.to_dictionary())
    for clone in (team.first, team.second):
        found = subprocess.run(["git", "grep", "-q", team.servers.password], cwd=clone.root, check=False)
        assert found.returncode == 1


def test_two_clones_share_a_sweep(team):
    shells = [team.start(clone, *VISION, "sweep", "tiny") for clone in (team.first, team.second)]
    outputs = [finished(shell) for shell in shells]
    tables = []
    for clone, output in zip((team.first, team.second), outputs, strict=True):
        assert team.servers.password not in output
        with (clone.root / "reports/sweeps/tiny/trials.csv").open(newline="") as file:
            tables.append({row["trial"]: row["state"] for row in csv.DictReader(file)})
    trials = max(tables, key=len)  # one may have ended before the other's last trial began
    assert len(trials) in (9, 10)  # of both the last one may be begun
    assert set(trials.values()) <= {"finished", "pruned"}
    ran = [{name for name in trials if f"] {name}: " in output} for output in outputs]
    assert ran[0] | ran[1] == set(trials)
    assert not ran[0] & ran[1]
    assert all(ran)


class Stepwise:
    """A training that goes on when it is told to."""

    def __init__(self, team: Team) -> None:
        environment = team.first.environment(**team.servers.variables(), TRACKING="on")
        self._process = subprocess.Popen(
            [sys.executable, "-c", LOOP], cwd=team.first.root, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.said = ""

    def epoch(self, number: int) -> None:
        """Wait until the epoch is done."""
        for line in self._process.stdout:
            self.said += line
            if line == f"logged {number}\n":
                return
        raise AssertionError(self.said)

    def go_on(self) -> None:
        """Let it begin the next epoch."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """Let it train the last epoch and end."""
        self.said += self._process.communicate("\n\n")[0]
        assert self._process.returncode == 0, self.said


@pytest.mark.parametrize("away", ["postgres", "mlflow"])
def test_a_server_that_restarts_in_the_middle_of_a_training_misses_no_epoch(team, away):
    training = Stepwise(team)
    training.epoch(1)
    training.go_on()
    training.epoch(2)
    team.servers.stop(away)
    training.go_on()
    training.epoch(3)
    training.go_on()
    training.epoch(4)
    {"postgres": team.servers.start_postgres, "mlflow": team.servers.start_mlflow}[away]()
    training.end()
    assert "it is kept and tried again" in training.said
    assert "MLflow: the store is back" in training.said
    run, *_ = team.runs("attributes.run_name = 'a-model'")
    history = team.client.get_metric_history(run.info.run_id, "val_accuracy")
    assert run.info.status == "FINISHED"
    assert [(point.step, point.value) for point in history] == [(epoch, epoch / 10) for epoch in range(1, 6)]


def test_sync_ends_and_completes_the_run_of_a_training_that_ended_without_the_server(team):
    team.first.change(**{"models__mnist-mlp__train__epochs": 800, "models__mnist-mlp__seeds": []})
    training = team.start(team.first, "dvc", "repro", "train@mnist-mlp")
    of_model = "attributes.run_name = 'mnist-mlp' and params.`model.train.epochs` = '800'"
    until(lambda: [run for run in team.runs(of_model) if "val_accuracy" in run.data.metrics])
    team.servers.stop("mlflow")
    output = finished(training)
    assert "could not be logged" in output
    assert "`vision sync` logs it later" in output
    team.servers.start_mlflow()
    (run,) = team.runs(of_model)
    assert run.info.status == "RUNNING"
    assert "completed  end of the training" in team.run(team.first, *VISION, "sync")
    (run,) = team.runs(of_model)
    assert run.info.status == "FINISHED"
    steps = [point.step for point in team.client.get_metric_history(run.info.run_id, "val_accuracy")]
    assert steps == list(range(1, 801))
