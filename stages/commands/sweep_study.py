"""A sweep's trials: Optuna chooses their values, DVC trains them, a database shares them among processes."""

import json
import shutil
import time
import warnings
from collections.abc import Iterable
from hashlib import sha256

import optuna
from optuna.trial import FrozenTrial, Trial, TrialState

from stages.commands.dvc_experiment import file_of, hydra, run_beside
from stages.commands.repro import named
from stages.commands.sweep_file import Sweep, Values, with_values
from stages.commands.sweep_values import short, suggested
from stages.project.console import Refusal, say
from stages.project.key import keyed_number
from stages.project.paths import model_report, resume_folder
from stages.tracking.pruning import PRUNED, Watched, open_storage

# Of heartbeats, which Optuna has had for years, it says once for each call that they may change
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_HEARTBEAT, _GRACE = 10, 60  # seconds
_FAILURES = 3  # in a row, of this process: the next would fail, too
_RANDOM = 10  # trials before the sampler learns from them, Optuna's default; of a short sweep a third


class Trials:
    """The trials of a sweep that this process runs, in a study that other processes may share."""

    def __init__(self, name: str, sweep: Sweep, params: Values, storage: str) -> None:
        """Open the study, or begin it.

        Args:
            name: of the sweep and the study.
            sweep: its file.
            params: of params.yaml.
            storage: address of the database.

        Raises:
            Refusal: the study was begun with another space, metric or params.
        """
        self._name, self._sweep, self._storage = name, sweep, storage
        self._base = params["models"][sweep.model]
        self.study = optuna.create_study(
            storage=open_storage(storage, _HEARTBEAT, _GRACE),
            study_name=name,
            direction=sweep.direction,
            load_if_exists=True,
        )
        self._refuse_others(params)
        self._failures = 0

    def run(self) -> None:
        """Run trials until as many as the sweep asks for are finished, here or elsewhere.

        Raises:
            Refusal: some failed, one after the other.
        """
        waiting = False
        while left := self.left():
            optuna.storages.fail_stale_trials(self.study)
            if (running := len(self._running())) < left:
                self.study.optimize(self._run_trial, n_trials=1, catch=(Refusal,))
                waiting = False
            else:
                if not waiting:
                    say(f"waiting for {running} trial(s) that other processes run")
                waiting = True
                time.sleep(1)
            if self._failures >= _FAILURES:
                raise Refusal(f"{_FAILURES} trials in a row failed, as said above; the same command goes on from there")

    def left(self) -> int:
        """How many trials are to be finished still, here or elsewhere."""
        return max(0, self._sweep.trials - len(self.of(*FINISHED)))

    def of(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in some states, by number."""
        return self.study.get_trials(deepcopy=False, states=states)

    def _running(self) -> list[FrozenTrial]:
        """Trials whose process has begun to train; one that was killed before that gave no sign of life, ever."""
        return [trial for trial in self.of(TrialState.RUNNING) if "experiment" in trial.user_attrs]

    def _run_trial(self, trial: Trial) -> float:
        """Train one trial; its metric.

        Raises:
            optuna.TrialPruned: its training was ended early.
            Refusal: it failed.
        """
        sweep, experiment = self._sweep, f"{self._name}-{trial.number:04}"
        self._seed(trial)
        values = {key: suggested(trial, key, dimension) for key, dimension in sweep.space.items()}
        trial.set_user_attr("experiment", experiment)
        told = ", ".join(f"{key}={short(value)}" for key, value in values.items())
        say(f"[{sweep.trials - self.left()}/{sweep.trials}] {experiment}: {told}")
        once: Values = {"seeds": []}  # a trial is one training; what seeds change is asked of the best
        settings = [f"models.{sweep.model}.{key}={hydra(value)}" for key, value in (once | values).items()]
        errors: list[str] = []
        try:
            commit = run_beside(
                experiment, settings, [f"train@{sweep.model}"], lambda lines: _show(lines, experiment, errors),
                self._watched(trial, values).environment(),
            )  # fmt: skip
        except Refusal:
            self._refuse_or_prune(trial, experiment, errors)
            raise
        self._failures = 0
        return self._outcome(trial, experiment, commit)

    def _seed(self, trial: Trial) -> None:
        """A sampler for this trial alone: a process that begins later must not draw what an earlier one drew."""
        seed = keyed_number(self._sweep.seed, "sweep", trial.number) % 2**32
        random = min(_RANDOM, max(2, self._sweep.trials // 3))
        self.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=random, constant_liar=True)

    def _watched(self, trial: Trial, values: Values) -> Watched:
        epochs = with_values(self._base, values)["train"].get("epochs", 1)
        prune = self._sweep.prune.model_dump() if self._sweep.prune else None
        # Optuna has no public name for what `Trial(study, id)` takes
        return Watched(self._storage, self._name, trial._trial_id, self._sweep.model, self._sweep.metric, epochs, prune)

    def _refuse_or_prune(self, trial: Trial, experiment: str, errors: list[str]) -> None:
        """Say why a trial has no outcome; raises `optuna.TrialPruned` where the sweep ended it."""
        known = self.study.get_trials(deepcopy=False)[trial.number]
        if known.user_attrs.get(PRUNED):
            self._failures = 0
            epoch, value = max(known.intermediate_values.items())
            say(f"{experiment}: pruned after epoch {epoch}, {self._sweep.metric} {value:.4f}")
            raise optuna.TrialPruned
        self._failures += 1
        for line in errors:
            say(line)
        say(f"{experiment}: failed")

    def _outcome(self, trial: Trial, experiment: str, commit: str) -> float:
        """The metric of a finished training; its state, which DVC's cache has made useless, is removed."""
        report = json.loads(file_of(commit, model_report(self._sweep.model) / "train.json"))
        for name in ("epochs", "provenance"):
            trial.set_user_attr(name, report[name])
        shutil.rmtree(resume_folder(report["key"]), ignore_errors=True)
        value = float(report[self._sweep.metric])
        say(f"{experiment}: {self._sweep.metric} {value:.4f}")
        return value

    def _refuse_others(self, params: Values) -> None:
        """Values that were measured of another model, or on other data, cannot be compared."""
        space = {key: dimension.model_dump() for key, dimension in self._sweep.space.items()}
        asked = {**params, "models": self._base, "space": space, "metric": self._sweep.metric}
        digest = sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()
        begun = self.study.user_attrs.get("asked")
        if begun is None:
            self.study.set_user_attr("asked", digest)
        elif begun != digest:
            raise Refusal(
                f"the study {self._name} was begun with another space or metric, or other params; give the sweep "
                f"another name, or forget its trials: optuna delete-study --study-name {self._name} --storage ADDRESS"
            )


def _show(lines: Iterable[str], experiment: str, errors: list[str]) -> None:
    """What the stages say; what they complain of is kept, for a trial that the sweep ends complains, too."""
    for line in named(lines):
        if "ERROR" in line:
            errors.append(line)
        else:
            say(f"{experiment} {line}")
