"""A sweep's trials: Optuna chooses their values, DVC trains them, a database shares them among processes."""

import json
import time
import warnings
from hashlib import sha256

import optuna
from optuna.trial import FrozenTrial, TrialState

from stages.commands.sweeps.file import Sweep, Values
from stages.commands.sweeps.trial import TrialRunner, left
from stages.project.console import Refusal, say
from stages.tracking.pruning import open_storage
from stages.tracking.secrets import masked

# Of heartbeats, which Optuna has had for years, it says once for each call that they may change
warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)

_HEARTBEAT, _GRACE = 10, 60  # seconds
_FAILURES = 3  # in a row, of this process: the next would fail, too


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
        self._name, self._sweep = name, sweep
        self._base = params["models"][sweep.model]
        self.study = optuna.create_study(
            storage=open_storage(storage, _HEARTBEAT, _GRACE),
            study_name=name,
            direction=sweep.direction,
            load_if_exists=True,
        )
        self._refuse_others(params, masked(storage))
        self._runner = TrialRunner(name, sweep, self._base, storage)

    def run(self) -> None:
        """Run trials until as many as the sweep asks for are finished, here or elsewhere.

        Raises:
            Refusal: some failed, one after the other.
        """
        waiting = False
        while missing := left(self.study, self._sweep):
            optuna.storages.fail_stale_trials(self.study)
            if (running := len(self._running())) < missing:
                self.study.optimize(self._runner, n_trials=1, catch=(Refusal,))
                waiting = False
            else:
                if not waiting:
                    say(f"waiting for {running} trial(s) that other processes run")
                waiting = True
                time.sleep(1)
            if len(failures := self._runner.failures) >= _FAILURES:
                raise Refusal(
                    f"{len(failures)} trials in a row failed, the last one with: {failures[-1]}; the same command goes "
                    "on from there"
                )

    def _running(self) -> list[FrozenTrial]:
        """Trials whose process has begun to train; one that was killed before that gave no sign of life, ever."""
        running = self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
        return [trial for trial in running if "experiment" in trial.user_attrs]

    def _refuse_others(self, params: Values, address: str) -> None:
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
                f"another name, or forget its trials: optuna delete-study --study-name {self._name} --storage {address}"
            )
