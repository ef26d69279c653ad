"""A sweep's trials with fake trainings: which are run, how they end, and how processes share them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from vision_pipeline.cli.sweep import trials as sweep_trials
from vision_pipeline.cli.sweep.search_space import SweepConfig
from vision_pipeline.cli.sweep.trials import SweepRunner
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking.optuna_trial import TRIAL_VARIABLE, current_trial

ROOT = Path(__file__).resolve().parents[3]
MODEL = {"hidden": [8], "dropout": 0.0, "train": {"lr": 0.1, "epochs": 3, "optimizer": "sgd"}}
PARAMS = {"seed": 0, "models": {"m": MODEL, "other": {}}}


def sweep(**changes: Any) -> SweepConfig:
    config: dict[str, Any] = {
        "about": "A search", "model": "m", "trials": 5, "seed": 0,
        "space": {
            "train.lr": {"low": 0.001, "high": 1.0, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
            "hidden": {"choices": [[8], [8, 4]]},
        },
    }  # fmt: skip
    return SweepConfig.model_validate(config | changes)


class FakeTraining:
    """A stand-in for DVC and training: the accuracy of a trial is 1 - dropout after each of its epochs."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], list[str]]] = []
        self.errors: dict[str, Exception] = {}
        self._reports: dict[str, str] = {}

    def run_temp_experiment(self, name, settings, stages, show, extra_env) -> str:
        pairs = (setting.removeprefix("++").split("=") for setting in settings)
        values = {key: json.loads(value) for key, value in pairs}
        self.calls.append((name, values, stages))
        if name in self.errors:
            show(["Running stage 'train@m':\n", "ERROR: the loss is not finite\n"])
            raise self.errors[name]
        accuracy = 1 - values["models.m.dropout"]
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(TRIAL_VARIABLE, extra_env[TRIAL_VARIABLE])
            trial = current_trial("m", "fedcba9876543210")
            assert trial is not None
            for epoch in range(1, trial.epochs + 1):
                if trial.report_and_should_prune(epoch, {"val_accuracy": accuracy}):
                    show(["ERROR: pruned by the sweep\n"])
                    raise UserError(f"{name} failed")
        report = {"val_accuracy": accuracy, "epochs": 3, "provenance": "official", "key": "0123456789abcdef"}
        self._reports[name] = json.dumps(report)
        return name

    def show_file(self, commit: str, path: Path) -> str:
        assert path == Path("reports/models/m/train.json")
        return self._reports[commit]


@pytest.fixture
def fake_training(tmp_path, monkeypatch) -> FakeTraining:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    fake = FakeTraining()
    monkeypatch.setattr(sweep_trials, "run_temp_experiment", fake.run_temp_experiment)
    monkeypatch.setattr(sweep_trials, "show_file", fake.show_file)
    return fake


def make_runner(config: SweepConfig, params: dict[str, Any] = PARAMS) -> SweepRunner:
    return SweepRunner("tiny", config, params, f"sqlite:///{Path.cwd() / 'optuna.db'}")


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_each_trial_is_a_dvc_experiment_of_the_training_alone(fake_training):
    run = make_runner(sweep())
    run.run()
    assert [name for name, _, _ in fake_training.calls] == [f"tiny-{number:04}" for number in range(5)]
    assert {tuple(stages) for _, _, stages in fake_training.calls} == {("train@m",)}
    for trial, (_, values, _) in zip(run.study.trials, fake_training.calls, strict=True):
        assert values == {
            "models.m.seeds": [],
            "models.m.train.lr": trial.params["train.lr"],
            "models.m.dropout": trial.params["dropout"],
            "models.m.hidden": json.loads(trial.params["hidden"]),
        }
        assert trial.value == 1 - values["models.m.dropout"]
        assert trial.intermediate_values == dict.fromkeys((1, 2, 3), trial.value)


def test_the_state_of_a_finished_training_is_removed(fake_training):
    state = Path(".ckpt/0123456789abcdef")
    state.mkdir(parents=True)
    make_runner(sweep(trials=1)).run()
    assert not state.exists()


def test_a_trial_that_the_study_ends_is_pruned_and_says_so_in_one_line(fake_training, capsys):
    state = Path(".ckpt/fedcba9876543210")
    state.mkdir(parents=True)
    run = make_runner(sweep(trials=12, prune={"after_trials": 3, "after_epochs": 1}))
    run.run()
    assert states(run.study).count("PRUNED") >= 1
    assert states(run.study)[:3] == ["COMPLETE"] * 3
    assert set(states(run.study)) == {"COMPLETE", "PRUNED"}
    pruned = next(trial for trial in run.study.trials if trial.state == TrialState.PRUNED)
    output = capsys.readouterr().out
    assert f"tiny-{pruned.number:04}: pruned after epoch 1, val_accuracy {pruned.intermediate_values[1]:.4f}" in output
    assert "ERROR" not in output
    assert not state.exists()


def test_the_same_seed_makes_the_same_sweep_also_in_parts_and_another_seed_another(
    fake_training, tmp_path, monkeypatch
):
    def values(folder: str, *parts: SweepConfig) -> list[dict[str, Any]]:
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        for part in parts:
            run = make_runner(part)
            run.run()
        return [trial.params for trial in run.study.trials]

    whole = values("whole", sweep(trials=8))
    assert values("parts", sweep(trials=1), sweep(trials=4), sweep(trials=8)) == whole
    assert values("other", sweep(trials=8, seed=1)) != whole
    assert len({json.dumps(params) for params in whole}) == 8


def test_a_sweep_that_is_done_runs_nothing_more(fake_training):
    make_runner(sweep()).run()
    make_runner(sweep()).run()
    assert len(fake_training.calls) == 5


def test_a_trial_that_fails_is_made_up_for_by_another(fake_training, capsys):
    fake_training.errors["tiny-0001"] = UserError("tiny-0001 failed")
    run = make_runner(sweep(trials=3))
    run.run()
    assert states(run.study) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert "train@m | ERROR: the loss is not finite\ntiny-0001: failed" in capsys.readouterr().out


def test_three_failures_in_a_row_end_the_sweep(fake_training):
    fake_training.errors = {f"tiny-{number:04}": UserError("failed") for number in (1, 2, 4, 5, 6)}
    run = make_runner(sweep())
    with pytest.raises(UserError, match="3 trials in a row failed"):
        run.run()
    assert states(run.study) == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "FAIL", "FAIL", "FAIL"]


def test_a_sweep_whose_results_cannot_be_read_ends_and_says_why(fake_training, monkeypatch):
    def lacking(commit: str, path: Path) -> str:
        raise UserError(f"{path} is not in {commit}")

    monkeypatch.setattr(sweep_trials, "show_file", lacking)
    run = make_runner(sweep(trials=9))
    with pytest.raises(UserError, match=r"3 trials in a row failed, the last one with: .*json is not in tiny-0002"):
        run.run()
    assert states(run.study) == ["FAIL"] * 3


def test_a_value_that_dvc_cannot_be_told_ends_the_sweep(fake_training):
    run = make_runner(sweep(space={"dropout": {"choices": [{"1": 2}, {"2": 3}]}}))
    with pytest.raises(UserError, match=r"3 trials in a row failed, the last one with: '\d' cannot be the name"):
        run.run()
    assert fake_training.calls == []


def test_what_a_training_complained_of_is_the_reason(fake_training):
    fake_training.errors = {f"tiny-{number:04}": UserError("as said above") for number in range(3)}
    with pytest.raises(UserError, match=r"the last one with: train@m \| ERROR: the loss is not finite; the same"):
        make_runner(sweep()).run()


def test_ctrl_c_ends_the_sweep_and_fails_its_trial(fake_training):
    fake_training.errors["tiny-0001"] = KeyboardInterrupt()  # type: ignore[assignment]
    run = make_runner(sweep())
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert states(run.study) == ["COMPLETE", "FAIL"]


def test_a_trial_that_another_process_runs_is_not_run_again(fake_training, monkeypatch):
    other = make_runner(sweep(trials=3))
    elsewhere = other.study.ask()
    elsewhere.set_user_attr("experiment", "tiny-0000")

    def finish_elsewhere(seconds: float) -> None:  # while this process waits
        elsewhere.set_user_attr("epochs", 3)
        other.study.tell(elsewhere, 0.5)

    monkeypatch.setattr(sweep_trials.time, "sleep", finish_elsewhere)
    make_runner(sweep(trials=3)).run()
    assert [name for name, _, _ in fake_training.calls] == ["tiny-0001", "tiny-0002"]


KILLED = """
import os
from tests.cli.sweep.test_trials import make_runner, sweep
from vision_pipeline.cli.sweep import trials as sweep_trials
sweep_trials.run_temp_experiment = lambda *a: os._exit(9)
make_runner(sweep()).run()
"""


def test_a_trial_whose_process_was_killed_is_given_up_and_made_up_for(fake_training, monkeypatch):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False).returncode == 9
    monkeypatch.setattr(sweep_trials, "_GRACE_SECONDS", 1)  # instead of a minute
    run = make_runner(sweep(trials=2))
    assert states(run.study) == ["RUNNING"]
    run.run()
    assert states(run.study) == ["FAIL", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize(
    ("config", "params"),
    [
        (sweep(space={"dropout": {"low": 0.0, "high": 0.4}}), PARAMS),
        (sweep(metric="val_loss"), PARAMS),
        (sweep(), PARAMS | {"seed": 1}),
        (sweep(), PARAMS | {"models": {"m": MODEL | {"dropout": 0.1}}}),
    ],
)
def test_trials_that_cannot_be_compared_are_not_mixed(fake_training, config, params):
    make_runner(sweep())
    with pytest.raises(
        UserError, match=r"(?s)begun with another space.*delete-study --study-name tiny --storage sqlite:///.*optuna.db"
    ):
        make_runner(config, params)


def test_another_models_params_and_the_number_of_trials_may_change(fake_training):
    begun = make_runner(sweep(trials=1))
    begun.run()
    more = sweep(trials=2, prune={"after_trials": 1, "after_epochs": 1})
    goes_on = make_runner(more, PARAMS | {"models": {"m": MODEL}})
    goes_on.run()
    assert [trial.number for trial in goes_on.study.trials] == [0, 1]
    assert goes_on.study.trials[0].params == begun.study.trials[0].params
