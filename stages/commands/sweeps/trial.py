"""One trial of a sweep: values that Optuna chooses, trained by DVC."""

import json
from collections.abc import Iterable

import optuna
from optuna.trial import Trial, TrialState

from stages.commands.pipeline.beside import hydra, run_beside
from stages.commands.pipeline.lines import named
from stages.commands.sweeps.file import Sweep, Values, with_values
from stages.commands.sweeps.values import short, suggested
from stages.project.console import Refusal, say
from stages.project.key import keyed_number
from stages.project.paths import forget_training, model_report
from stages.tracking.git import file_of
from stages.tracking.pruning import PRUNED, Watched

_FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
_RANDOM = 10  # trials before the sampler learns from them, Optuna's default; of a short sweep a third


def left(study: optuna.Study, sweep: Sweep) -> int:
    """How many trials are to be finished still, here or elsewhere."""
    return max(0, sweep.trials - len(study.get_trials(deepcopy=False, states=_FINISHED)))


class TrialRunner:
    """What Optuna calls for each trial that this process runs.

    Attributes:
        failures: reasons of the trials that failed here, one after the other, since the last that did not.
    """

    def __init__(self, name: str, sweep: Sweep, base: Values, storage: str) -> None:
        """Of the sweep `name`: its file, its model's entry under `models`, and the address of the study's database."""
        self._name, self._sweep, self._base, self._storage = name, sweep, base, storage
        self.failures: list[str] = []

    def __call__(self, trial: Trial) -> float:
        """Train one trial; its metric.

        Raises:
            optuna.TrialPruned: its training was ended early.
            Refusal: it failed, or what came of it cannot be read; Optuna goes on after it.
        """
        experiment = f"{self._name}-{trial.number:04}"
        try:
            value = self._train(trial, experiment)
        except Refusal as refusal:
            self.failures.append(str(refusal))
            say(f"{experiment}: failed: {refusal}")
            raise
        except optuna.TrialPruned:
            self.failures.clear()
            raise
        self.failures.clear()
        return value

    def _train(self, trial: Trial, experiment: str) -> float:
        sweep = self._sweep
        self._seed(trial)
        values = {key: suggested(trial, key, dimension) for key, dimension in sweep.space.items()}
        trial.set_user_attr("experiment", experiment)
        told = ", ".join(f"{key}={short(value)}" for key, value in values.items())
        say(f"[{sweep.trials - left(trial.study, sweep)}/{sweep.trials}] {experiment}: {told}")
        once: Values = {"seeds": []}  # a trial is one training; what seeds change is asked of the best
        settings = [f"models.{sweep.model}.{key}={hydra(value)}" for key, value in (once | values).items()]
        errors: list[str] = []
        try:
            commit = run_beside(
                experiment, settings, [f"train@{sweep.model}"], lambda lines: _show(lines, experiment, errors),
                self._watched(trial, values).environment(),
            )  # fmt: skip
        except Refusal as refusal:
            self._end_if_pruned(trial, experiment)
            for line in errors:
                say(line)
            raise Refusal(errors[0] if errors else str(refusal)) from refusal
        return self._outcome(trial, experiment, commit)

    def _seed(self, trial: Trial) -> None:
        """A sampler for this trial alone: a process that begins later must not draw what an earlier one drew."""
        seed = keyed_number(self._sweep.seed, "sweep", trial.number) % 2**32
        random = min(_RANDOM, max(2, self._sweep.trials // 3))
        trial.study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=random, constant_liar=True)

    def _watched(self, trial: Trial, values: Values) -> Watched:
        epochs = with_values(self._base, values)["train"].get("epochs", 1)
        prune = self._sweep.prune.model_dump() if self._sweep.prune else None
        # Optuna has no public name for what `Trial(study, id)` takes
        return Watched(self._storage, self._name, trial._trial_id, self._sweep.model, self._sweep.metric, epochs, prune)

    def _end_if_pruned(self, trial: Trial, experiment: str) -> None:
        """Raise `optuna.TrialPruned` where the sweep ended the trial, and say so."""
        known = trial.study.get_trials(deepcopy=False)[trial.number]
        if PRUNED in known.user_attrs:
            forget_training(known.user_attrs[PRUNED])
            epoch, value = max(known.intermediate_values.items())
            say(f"{experiment}: pruned after epoch {epoch}, {self._sweep.metric} {value:.4f}")
            raise optuna.TrialPruned

    def _outcome(self, trial: Trial, experiment: str, commit: str) -> float:
        """The metric of a finished training; its state, which DVC's cache has made useless, is removed."""
        report = json.loads(file_of(commit, model_report(self._sweep.model) / "train.json"))
        for name in ("epochs", "provenance"):
            trial.set_user_attr(name, report[name])
        forget_training(report["key"])
        value = float(report[self._sweep.metric])
        say(f"{experiment}: {self._sweep.metric} {value:.4f}")
        return value


def _show(lines: Iterable[str], experiment: str, errors: list[str]) -> None:
    """What the stages say; what they complain of is kept, for a trial that the sweep ends complains, too."""
    for line in named(lines):
        if "ERROR" in line:
            errors.append(line)
        else:
            say(f"{experiment} {line}")
