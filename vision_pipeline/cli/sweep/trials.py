"""A sweep's trials: Optuna chooses their values, DVC trains them, a database shares them among processes."""

import json
import time
import warnings
from collections.abc import Iterable
from hashlib import sha256
from typing import Any

import optuna
import typer
from optuna.distributions import CategoricalChoiceType
from optuna.trial import FrozenTrial, Trial, TrialState

from vision_pipeline.cli.param_overrides import ParamDict, apply_overrides
from vision_pipeline.cli.pipeline.dvc import prefix_lines
from vision_pipeline.cli.pipeline.temp_experiment import run_temp_experiment, to_hydra
from vision_pipeline.cli.sweep.search_space import SearchDimension, SweepConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.fingerprint import derive_seed
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import delete_resume_state, model_report_dir
from vision_pipeline.core.text import format_value
from vision_pipeline.tracking.optuna_trial import PRUNED, TrialHandle, open_storage
from vision_pipeline.tracking.secrets import redact
from vision_pipeline.vcs.git import show_file

# Optuna repeats for each call that heartbeats, which it has had for years, are experimental
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

_FINISHED_STATES = (TrialState.COMPLETE, TrialState.PRUNED)
_NUM_RANDOM_TRIALS = 10  # trials before the sampler learns from them, Optuna's default; a third of a short sweep
_HEARTBEAT_SECONDS, _GRACE_SECONDS = 10, 60
_MAX_FAILURES_IN_A_ROW = 3  # in this process; the next trial would fail, too


class SweepRunner:
    """The trials of a sweep that this process runs, in a study that other processes may share."""

    def __init__(self, name: str, sweep: SweepConfig, params: ParamDict, storage: str) -> None:
        """Open the study, or create it.

        Args:
            name: name of the sweep and of the study.
            sweep: the sweep's file.
            params: all sections of params.yaml.
            storage: address of the database.

        Raises:
            UserError: the study was begun with another space, metric or params.
        """
        self._name, self._sweep = name, sweep
        self._base_model = params["models"][sweep.model]
        self.study = optuna.create_study(
            storage=open_storage(storage, _HEARTBEAT_SECONDS, _GRACE_SECONDS),
            study_name=name,
            direction=sweep.direction,
            load_if_exists=True,
        )
        self._check_same_search(params, redact(storage))
        self._objective = TrialObjective(name, sweep, self._base_model, storage)

    def run(self) -> None:
        """Run trials until the sweep's number is finished, here or in other processes.

        Raises:
            UserError: several trials in a row failed.
        """
        wait_announced = False
        while num_remaining := count_remaining_trials(self.study, self._sweep):
            optuna.storages.fail_stale_trials(self.study)
            if (num_running := len(self._get_running_trials())) < num_remaining:
                self.study.optimize(self._objective, n_trials=1, catch=(UserError,))
                wait_announced = False
            else:
                if not wait_announced:
                    typer.echo(f"waiting for {num_running} trial(s) that other processes run")
                wait_announced = True
                time.sleep(1)
            if len(failures := self._objective.failures) >= _MAX_FAILURES_IN_A_ROW:
                raise UserError(
                    f"{len(failures)} trials in a row failed, the last one with: {failures[-1]}; the same command goes "
                    "on from there"
                )

    def _get_running_trials(self) -> list[FrozenTrial]:
        """Return the trials whose process has begun to train; one killed before that never sent a heartbeat."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in running if "experiment" in trial.user_attrs]

    def _check_same_search(self, params: ParamDict, address: str) -> None:
        """Refuse a study of another model, space, metric or data, because its values cannot be compared."""
        space = {key: dimension.model_dump() for key, dimension in self._sweep.space.items()}
        identity = {**params, "models": self._base_model, "space": space, "metric": self._sweep.metric}
        digest = sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        stored_digest = self.study.user_attrs.get("asked")
        if stored_digest is None:
            self.study.set_user_attr("asked", digest)
        elif stored_digest != digest:
            raise UserError(
                f"the study {self._name} was begun with another space or metric, or other params; give the sweep "
                f"another name, or forget its trials: optuna delete-study --study-name {self._name} --storage {address}"
            )


class TrialObjective:
    """The function that Optuna calls for each trial that this process runs.

    Attributes:
        failures: reasons of the trials that failed here since the last one that did not.
    """

    def __init__(self, name: str, sweep: SweepConfig, base: ParamDict, storage: str) -> None:
        """Initialize it for the sweep `name`: its file, its model's entry under `models`, its database's address."""
        self._name, self._sweep, self._base_model, self._storage = name, sweep, base, storage
        self.failures: list[str] = []

    def __call__(self, trial: Trial) -> float:
        """Train one trial and return its metric.

        Raises:
            optuna.TrialPruned: its training was ended early.
            UserError: it failed, or its reports cannot be read; Optuna continues with the next.
        """
        experiment = f"{self._name}-{trial.number:04}"
        try:
            value = self._train(trial, experiment)
        except UserError as error:
            self.failures.append(str(error))
            typer.echo(f"{experiment}: failed: {error}")
            raise
        except optuna.TrialPruned:
            self.failures.clear()
            raise
        self.failures.clear()
        return value

    def _train(self, trial: Trial, experiment: str) -> float:
        sweep = self._sweep
        self._set_sampler(trial)
        values = {key: suggest_value(trial, key, dimension) for key, dimension in sweep.space.items()}
        trial.set_user_attr("experiment", experiment)
        num_finished = sweep.trials - count_remaining_trials(trial.study, sweep)
        values_text = ", ".join(f"{key}={format_value(value)}" for key, value in values.items())
        typer.echo(f"[{num_finished}/{sweep.trials}] {experiment}: {values_text}")
        single_seed: ParamDict = {"seeds": []}  # a trial is one training; only the best is repeated with other seeds
        overrides = [f"++models.{sweep.model}.{key}={to_hydra(value)}" for key, value in (single_seed | values).items()]
        logger.debug(f"{experiment}: runs with {' '.join(overrides)}")
        errors: list[str] = []
        try:
            commit = run_temp_experiment(
                experiment, overrides, [f"train@{sweep.model}"], lambda lines: _print_output(lines, experiment, errors),
                extra_env=self._make_handle(trial, values).to_env(),
            )  # fmt: skip
        except UserError as error:
            self._raise_if_pruned(trial, experiment)
            for line in errors:
                typer.echo(line)
            raise UserError(errors[0] if errors else str(error)) from error
        return self._read_result(trial, experiment, commit)

    def _set_sampler(self, trial: Trial) -> None:
        """Set a sampler for this trial alone, so that a process that starts later does not repeat earlier draws."""
        seed = derive_seed(self._sweep.seed, "sweep", trial.number) % 2**32
        num_random = min(_NUM_RANDOM_TRIALS, max(2, self._sweep.trials // 3))
        trial.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=num_random, constant_liar=True)

    def _make_handle(self, trial: Trial, values: ParamDict) -> TrialHandle:
        return TrialHandle(
            storage=self._storage,
            study=self._name,
            trial=trial._trial_id,  # Optuna has no public name for the id that `Trial(study, id)` takes
            model=self._sweep.model,
            metric=self._sweep.metric,
            epochs=apply_overrides(self._base_model, values)["train"].get("epochs", 1),
            prune=self._sweep.prune.model_dump() if self._sweep.prune else None,
        )

    def _raise_if_pruned(self, trial: Trial, experiment: str) -> None:
        """Print that the sweep ended the trial and raise `optuna.TrialPruned`, where it did."""
        frozen_trial = trial.study.get_trials(deepcopy=False)[trial.number]
        if PRUNED in frozen_trial.user_attrs:
            delete_resume_state(frozen_trial.user_attrs[PRUNED])
            epoch, value = max(frozen_trial.intermediate_values.items())
            typer.echo(f"{experiment}: pruned after epoch {epoch}, {self._sweep.metric} {value:.4f}")
            raise optuna.TrialPruned

    def _read_result(self, trial: Trial, experiment: str, commit: str) -> float:
        """Return the metric of a finished training, and remove its resume state, which DVC's cache replaces."""
        report = json.loads(show_file(commit, model_report_dir(self._sweep.model) / "train.json"))
        for name in ("epochs", "provenance"):
            trial.set_user_attr(name, report[name])
        delete_resume_state(report["key"])
        value = float(report[self._sweep.metric])
        typer.echo(f"{experiment}: {self._sweep.metric} {value:.4f}")
        return value


def count_remaining_trials(study: optuna.Study, sweep: SweepConfig) -> int:
    """Return how many trials of a sweep are not finished yet, here or in other processes."""
    return max(0, sweep.trials - len(study.get_trials(deepcopy=False, states=_FINISHED_STATES)))


def suggest_value(trial: Trial, key: str, dimension: SearchDimension) -> Any:
    """Return the value that Optuna suggests for a key; Optuna keeps a choice that is a list as its JSON."""
    low, high = dimension.low, dimension.high
    if dimension.choices is not None:
        choices: dict[CategoricalChoiceType, Any] = {_encode_choice(value): value for value in dimension.choices}
        return choices[trial.suggest_categorical(key, list(choices))]
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(key, low, high, log=dimension.log)
    assert low is not None and high is not None  # `SearchDimension` has checked it
    return trial.suggest_float(key, low, high, log=dimension.log)


def _encode_choice(value: Any) -> CategoricalChoiceType:
    return value if isinstance(value, str | int | float | bool) else json.dumps(value)


def _print_output(lines: Iterable[str], experiment: str, errors: list[str]) -> None:
    """Print the stages' output; collect errors, because a trial that the sweep ends reports one, too."""
    for line in prefix_lines(lines):
        if "ERROR" in line:
            errors.append(line)
        else:
            typer.echo(f"{experiment} {line}")
