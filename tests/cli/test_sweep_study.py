"""A sweep's trials with made-up trainings: which are run, what becomes of them, and how processes share them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.trial import TrialState

from vision_pipeline.cli.sweep import trials as sweep_study
from vision_pipeline.cli.sweep import trials as sweep_trial
from vision_pipeline.cli.sweep.search_space import SweepConfig
from vision_pipeline.cli.sweep.trials import SweepRunner
from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking.optuna_trial import TRIAL_VARIABLE, current_trial

ROOT = Path(__file__).resolve().parents[2]
MODEL = {"hidden": [8], "dropout": 0.0, "train": {"lr": 0.1, "epochs": 3, "optimizer": "sgd"}}
PARAMS = {"seed": 0, "models": {"m": MODEL, "other": {}}}


def sweep(**changes: Any) -> SweepConfig:
    asked: dict[str, Any] = {
        "about": "A search", "model": "m", "trials": 5, "seed": 0,
        "space": {
            "train.lr": {"low": 0.001, "high": 1.0, "log": True},
            "dropout": {"low": 0.0, "high": 0.5},
            "hidden": {"choices": [[8], [8, 4]]},
        },
    }  # fmt: skip
    return SweepConfig.model_validate(asked | changes)


class Trained:
    """In place of DVC and training: the accuracy of a trial is 1 - dropout after each of its epochs."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any], list[str]]] = []
        self.errors: dict[str, Exception] = {}
        self._reports: dict[str, str] = {}

    def run_beside(self, name, settings, stages, show, extra_env) -> str:
        values = {key: json.loads(value) for key, value in (one.split("=") for one in settings)}
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

    def file_of(self, commit: str, path: Path) -> str:
        assert path == Path("reports/models/m/train.json")
        return self._reports[commit]


@pytest.fixture
def trained(tmp_path, monkeypatch) -> Trained:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    fake = Trained()
    monkeypatch.setattr(sweep_trial, "run_temp_experiment", fake.run_beside)
    monkeypatch.setattr(sweep_trial, "show_file", fake.file_of)
    return fake


def trials(asked: SweepConfig, params: dict[str, Any] = PARAMS) -> SweepRunner:
    return SweepRunner("tiny", asked, params, f"sqlite:///{Path.cwd() / 'optuna.db'}")


def states(study: optuna.Study) -> list[str]:
    return [trial.state.name for trial in study.trials]


def test_each_trial_is_a_dvc_experiment_of_the_training_alone(trained):
    run = trials(sweep())
    run.run()
    assert [name for name, _, _ in trained.calls] == [f"tiny-{number:04}" for number in range(5)]
    assert {tuple(stages) for _, _, stages in trained.calls} == {("train@m",)}
    for trial, (_, values, _) in zip(run.study.trials, trained.calls, strict=True):
        assert values == {
            "models.m.seeds": [],
            "models.m.train.lr": trial.params["train.lr"],
            "models.m.dropout": trial.params["dropout"],
            "models.m.hidden": json.loads(trial.params["hidden"]),
        }
        assert trial.value == 1 - values["models.m.dropout"]
        assert trial.intermediate_values == dict.fromkeys((1, 2, 3), trial.value)


def test_the_state_of_a_finished_training_is_removed(trained):
    state = Path(".ckpt/0123456789abcdef")
    state.mkdir(parents=True)
    trials(sweep(trials=1)).run()
    assert not state.exists()


def test_a_trial_that_the_study_ends_is_pruned_and_says_so_in_one_line(trained, capsys):
    state = Path(".ckpt/fedcba9876543210")
    state.mkdir(parents=True)
    run = trials(sweep(trials=12, prune={"after_trials": 3, "after_epochs": 1}))
    run.run()
    assert states(run.study).count("PRUNED") >= 1
    assert states(run.study)[:3] == ["COMPLETE"] * 3
    assert set(states(run.study)) == {"COMPLETE", "PRUNED"}
    pruned = next(trial for trial in run.study.trials if trial.state == TrialState.PRUNED)
    said = capsys.readouterr().out
    assert f"tiny-{pruned.number:04}: pruned after epoch 1, val_accuracy {pruned.intermediate_values[1]:.4f}" in said
    assert "ERROR" not in said
    assert not state.exists()


def test_the_same_seed_makes_the_same_sweep_also_in_parts_and_another_seed_another(trained, tmp_path, monkeypatch):
    def values(folder: str, *parts: SweepConfig) -> list[dict[str, Any]]:
        (tmp_path / folder).mkdir()
        monkeypatch.chdir(tmp_path / folder)
        for part in parts:
            run = trials(part)
            run.run()
        return [trial.params for trial in run.study.trials]

    whole = values("whole", sweep(trials=8))
    assert values("parts", sweep(trials=1), sweep(trials=4), sweep(trials=8)) == whole
    assert values("other", sweep(trials=8, seed=1)) != whole
    assert len({json.dumps(one) for one in whole}) == 8


def test_a_sweep_that_is_done_runs_nothing_more(trained):
    trials(sweep()).run()
    trials(sweep()).run()
    assert len(trained.calls) == 5


def test_a_trial_that_fails_is_made_up_for_by_another(trained, capsys):
    trained.errors["tiny-0001"] = UserError("tiny-0001 failed")
    run = trials(sweep(trials=3))
    run.run()
    assert states(run.study) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert "train@m | ERROR: the loss is not finite\ntiny-0001: failed" in capsys.readouterr().out


def test_three_failures_in_a_row_end_the_sweep(trained):
    trained.errors = {f"tiny-{number:04}": UserError("failed") for number in (1, 2, 4, 5, 6)}
    run = trials(sweep())
    with pytest.raises(UserError, match="3 trials in a row failed"):
        run.run()
    assert states(run.study) == ["COMPLETE", "FAIL", "FAIL", "COMPLETE", "FAIL", "FAIL", "FAIL"]


def test_a_sweep_whose_results_cannot_be_read_ends_and_says_why(trained, monkeypatch):
    def lacking(commit: str, path: Path) -> str:
        raise UserError(f"{path} is not in {commit}")

    monkeypatch.setattr(sweep_trial, "show_file", lacking)
    run = trials(sweep(trials=9))
    with pytest.raises(UserError, match=r"3 trials in a row failed, the last one with: .*json is not in tiny-0002"):
        run.run()
    assert states(run.study) == ["FAIL"] * 3


def test_a_value_that_dvc_cannot_be_told_ends_the_sweep(trained):
    run = trials(sweep(space={"dropout": {"choices": [{"1": 2}, {"2": 3}]}}))
    with pytest.raises(UserError, match=r"3 trials in a row failed, the last one with: '\d' cannot be the name"):
        run.run()
    assert trained.calls == []


def test_what_a_training_complained_of_is_the_reason(trained):
    trained.errors = {f"tiny-{number:04}": UserError("as said above") for number in range(3)}
    with pytest.raises(UserError, match=r"the last one with: train@m \| ERROR: the loss is not finite; the same"):
        trials(sweep()).run()


def test_ctrl_c_ends_the_sweep_and_fails_its_trial(trained):
    trained.errors["tiny-0001"] = KeyboardInterrupt()  # type: ignore[assignment]
    run = trials(sweep())
    with pytest.raises(KeyboardInterrupt):
        run.run()
    assert states(run.study) == ["COMPLETE", "FAIL"]


def test_a_trial_that_another_process_runs_is_not_run_again(trained, monkeypatch):
    other = trials(sweep(trials=3))
    elsewhere = other.study.ask()
    elsewhere.set_user_attr("experiment", "tiny-0000")

    def tell(seconds: float) -> None:  # while this process waits
        elsewhere.set_user_attr("epochs", 3)
        other.study.tell(elsewhere, 0.5)

    monkeypatch.setattr(sweep_study.time, "sleep", tell)
    trials(sweep(trials=3)).run()
    assert [name for name, _, _ in trained.calls] == ["tiny-0001", "tiny-0002"]


KILLED = """
import os
from tests.commands.test_sweep_study import sweep, trials
from stages.commands.sweeps import trial as sweep_trial
sweep_trial.run_beside = lambda *a: os._exit(9)
trials(sweep()).run()
"""


def test_a_trial_whose_process_was_killed_is_given_up_and_made_up_for(trained, monkeypatch):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False).returncode == 9
    monkeypatch.setattr(sweep_study, "_GRACE_SECONDS", 1)  # instead of a minute
    run = trials(sweep(trials=2))
    assert states(run.study) == ["RUNNING"]
    run.run()
    assert states(run.study) == ["FAIL", "COMPLETE", "COMPLETE"]


@pytest.mark.parametrize(
    ("asked", "params"),
    [
        (sweep(space={"dropout": {"low": 0.0, "high": 0.4}}), PARAMS),
        (sweep(metric="val_loss"), PARAMS),
        (sweep(), PARAMS | {"seed": 1}),
        (sweep(), PARAMS | {"models": {"m": MODEL | {"dropout": 0.1}}}),
    ],
)
def test_trials_that_cannot_be_compared_are_not_mixed(trained, asked, params):
    trials(sweep())
    with pytest.raises(
        UserError, match=r"(?s)begun with another space.*delete-study --study-name tiny --storage sqlite:///.*optuna.db"
    ):
        trials(asked, params)


def test_another_models_params_and_the_number_of_trials_may_change(trained):
    begun = trials(sweep(trials=1))
    begun.run()
    more = sweep(trials=2, prune={"after_trials": 1, "after_epochs": 1})
    goes_on = trials(more, PARAMS | {"models": {"m": MODEL}})
    goes_on.run()
    assert [trial.number for trial in goes_on.study.trials] == [0, 1]
    assert goes_on.study.trials[0].params == begun.study.trials[0].params
