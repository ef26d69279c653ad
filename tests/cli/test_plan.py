"""`vision plan` on a small repository whose stages are a line of shell each, with made-up times of past runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vision_pipeline.cli.main import app
from vision_pipeline.cli.pipeline.schedule import describe_time
from vision_pipeline.cli.plan import _count_epochs, override_params, stale_stages
from vision_pipeline.config.load import PARAMS
from vision_pipeline.core.errors import UserError

DVC_YAML = """
stages:
  prepare: {cmd: "cat raw > data", deps: [raw], outs: [data]}
  train:
    foreach: ${models}
    do: {cmd: "cat data > ${key}.model", deps: [data], params: ["models.${key}"], outs: ["${key}.model"]}
  compare: {cmd: "cat *.model > table", deps: [data, checked, a.model, b.model], outs: [table]}
  check: {cmd: "echo fine > checked", always_changed: true, outs: [checked]}
"""
MODEL_A = "  a: {train: {epochs: 4, lr: 0.10000001}}\n"
PAST = {
    "prepare": [{"start": 1.0, "work": 4.0, "epochs": None}],
    "train@a": [{"start": 2.0, "work": 40.0, "epochs": 4}],
    "train@b": [{"start": 2.0, "work": 8.0, "epochs": None}],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A repository after `dvc repro`."""
    root = tmp_path_factory.mktemp("plan")
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "params.yaml").write_text("models:\n" + MODEL_A + "  b: {train: {optimizer: lbfgs}}\n")
    (root / "raw").write_text("one\n")
    for command in (
        ["git", "init", "-q"],
        *([sys.executable, "-m", "dvc", *arguments] for arguments in (["init", "-q"], ["repro"])),
    ):
        subprocess.run(command, cwd=root, check=True)
    return root


@pytest.fixture
def pipeline(finished, monkeypatch):
    """The repository as working folder; its files are put back afterwards."""
    monkeypatch.chdir(finished)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr("vision_pipeline.cli.plan.raise_if_unusable", lambda params: None)  # they are no real ones
    (finished / ".cache").mkdir(exist_ok=True)
    (finished / ".cache/durations.json").write_text(json.dumps(PAST))
    before = {name: (finished / name).read_bytes() for name in ("params.yaml", "raw", "dvc.yaml", "dvc.lock")}
    yield finished
    for name, content in before.items():
        (finished / name).write_bytes(content)


def run_plan(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, ["plan", *arguments])
    assert result.exit_code == 0, result.output
    return [" ".join(line.split()) for line in result.output.splitlines()]


def change(text: str, by: str) -> bytes:
    return PARAMS.read_bytes().replace(text.encode(), by.encode())


def test_with_nothing_to_do_but_what_always_runs_it_says_so(pipeline):
    assert run_plan() == ["everything is up to date"]


def test_a_changed_param_names_itself_and_scales_the_time_by_the_epochs(pipeline):
    PARAMS.write_bytes(change("epochs: 4", "epochs: 8"))
    assert run_plan() == [
        "train@a 1 min 22 s models.a.train.epochs: 4 -> 8",
        "compare no past run here after train@a",
        "2 stages: at least 1 min 22 s one after the other, at least 1 min 22 s with --jobs 2",
    ]


def test_a_changed_file_reruns_what_follows_and_two_at_once_are_sooner(pipeline):
    (pipeline / "raw").write_text("two\n")
    lines = run_plan("--jobs", "2")
    assert lines[0] == "prepare 5 s raw modified"
    assert sorted(lines[1:3]) == ["train@a 42 s after prepare", "train@b 10 s after prepare"]
    assert lines[3] == "compare no past run here after train@a, after train@b"
    assert lines[4] == "4 stages: at least 57 s one after the other, at least 47 s with --jobs 2"
    assert run_plan("--jobs", "1")[4].endswith("at least 57 s with --jobs 1")


def test_params_that_are_only_asked_about_change_the_plan_and_nothing_else(pipeline):
    before = {path: path.read_bytes() for path in pipeline.iterdir() if path.is_file()}
    graph, reasons = stale_stages(change("0.10000001", "0.5"))
    assert graph == {"train@a": set(), "compare": {"train@a"}}
    assert reasons == {"train@a": "models.a.train.lr: 0.1 -> 0.5", "compare": "after train@a"}
    assert {path: path.read_bytes() for path in pipeline.iterdir() if path.is_file()} == before
    assert stale_stages() == ({}, {})


def test_a_new_model_was_never_run(pipeline):
    _, reasons = stale_stages(change("  b:", "  c: {train: {epochs: 1}}\n  b:"))
    assert reasons == {"train@c": "never run"}


def test_a_missing_out_and_a_changed_command_are_reasons(pipeline):
    (pipeline / "table").unlink()
    (pipeline / "dvc.yaml").write_text(DVC_YAML.replace("cat raw > data", "cat raw >data"))
    _, reasons = stale_stages()
    assert reasons["compare"] == "table is missing"
    assert reasons["prepare"] == "changed command"
    subprocess.run([sys.executable, "-m", "dvc", "checkout", "-q", "compare"], check=True)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["models.mnist-mlp.train.lr"], r"--set-param: models.mnist-mlp.train.lr: Error parsing"),
        (["models.mnist-mlp.train.lrr=1"], r"--set-param: models.mnist-mlp.train.lrr=1: Could not override"),
        (["models.mnist-mlp.train.mixup=0.2"], r"two plus signs set a key that is left out: \+\+models.*mixup=0.2$"),
        (["models.mnist-mlp.train.lr=0"], r"params.yaml would not be valid:\n  models.mnist-mlp.train.lr is 0"),
    ],
)
def test_params_that_cannot_be_are_refused(project, settings, message):
    before = PARAMS.read_bytes()
    with pytest.raises(UserError, match=message):
        override_params(settings)
    assert PARAMS.read_bytes() == before


def test_a_key_that_is_left_out_is_set_by_two_plus_signs(project):
    assert b"\n      mixup: 0.2\n" in override_params(["++models.mnist-mlp.train.mixup=0.2"])
    assert b"\n      lr: 0.02\n" in override_params(["++models.mnist-mlp.train.lr=0.02"])


def test_params_are_changed_as_an_experiment_would(project):
    assert b"\n      epochs: 77\n" in override_params(["models.mnist-mlp.train.epochs=77"])


def test_trainings_of_a_model_are_told_by_its_past_ones(pipeline):
    assert describe_time("a", [4, 8]).startswith("about 2 min 4 s of training")
    assert describe_time("c", [4]) == "no past run of train@c here tells how long that takes"


def test_where_no_stage_ran_before_no_time_is_made_up(pipeline):
    (pipeline / ".cache/durations.json").unlink()
    PARAMS.write_bytes(change("epochs: 4", "epochs: 8"))
    assert run_plan()[-1] == "2 stages, none of which ran here before: nothing tells how long they take"


@pytest.mark.parametrize("params", ["", "models: {}\n", "models: {m: {}}\n"])
def test_params_that_are_not_valid_are_refused(params, project):
    PARAMS.write_text(params)
    with pytest.raises(UserError, match=r"params\.yaml is not valid"):
        _count_epochs(None)
