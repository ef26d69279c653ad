"""The Optuna trial that a training of `vision sweep` belongs to: it reports each epoch, and may be pruned.

The trial is passed in the environment, because no result depends on it: a pruned training leaves no result.
"""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.locks import file_lock
from vision_pipeline.tracking.secrets import redact

TRIAL_VARIABLE = "SWEEP_TRIAL"
PRUNED = "pruned"  # attribute of the trial with the key of its pruned training; tag of that training's run
_MAX_TRIES = 3
_SQLITE_OPTIONS = {"connect_args": {"timeout": 60}}  # SQLite waits so many seconds while another process writes


@dataclass(frozen=True)
class TrialHandle:
    """The trial that a training belongs to.

    Attributes:
        storage: address of the database that keeps the study.
        study: name of the study.
        trial: Optuna's id of the trial.
        model: name of the trained model.
        metric: the metric of an epoch that is reported.
        epochs: number of epochs of the training; after the last one pruning would save nothing.
        prune: {"after_trials": ..., "after_epochs": ...}, None where every trial is trained to the end.
        key: key of the training, once that has begun.
    """

    storage: str
    study: str
    trial: int
    model: str
    metric: str
    epochs: int
    prune: dict[str, int] | None
    key: str = ""

    def to_env(self) -> dict[str, str]:
        """Return the environment variable by which a training reads this trial."""
        return {TRIAL_VARIABLE: json.dumps(asdict(self))}

    def report_and_should_prune(self, epoch: int, metrics: dict[str, float]) -> bool:
        """Report an epoch to the study, and mark the trial as pruned where it should end here.

        Args:
            epoch: number of the epoch, from 1.
            metrics: its metrics by name.

        Returns:
            Whether the training should end.

        Raises:
            UserError: the study cannot be reached, or has already marked the trial as failed.
        """
        from optuna.trial import Trial

        value = metrics[self.metric]
        with storage_errors(self.storage):
            trial = Trial(self._load_study(), self.trial)
            trial.report(value, epoch)
            if self.prune is None or epoch >= self.epochs or not trial.should_prune():
                return False
            trial.set_user_attr(PRUNED, self.key)
            return True

    def _load_study(self) -> Any:
        from optuna import load_study
        from optuna.pruners import MedianPruner, NopPruner

        prune = self.prune
        pruner = MedianPruner(prune["after_trials"], prune["after_epochs"]) if prune else NopPruner()
        return load_study(study_name=self.study, storage=open_storage(self.storage), pruner=pruner)


def current_trial(model: str, key: str) -> TrialHandle | None:
    """Return the trial in the environment that the training `key` of `model` belongs to; None where there is none."""
    if not (text := os.environ.get(TRIAL_VARIABLE)):
        return None
    trial = TrialHandle(**json.loads(text))
    return replace(trial, key=key) if trial.model == model else None


def open_storage(address: str, heartbeat_s: int | None = None, grace_s: int | None = None) -> Any:
    """Return Optuna's storage in a database, whose tables are made where there are none.

    Two processes that make them at once break them, hence the lock; of two machines the slower one tries again.

    Args:
        address: SQLAlchemy's address, such as sqlite:////home/me/optuna.db.
        heartbeat_s: seconds between the heartbeats of a running trial.
        grace_s: seconds without a heartbeat after which a trial counts as failed.

    Returns:
        An `optuna.storages.RDBStorage`.
    """
    import optuna
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # the sweep reports the outcome of each trial
    # a server that was restarted has dropped its connections: each is tried before it is used
    options: dict[str, Any] = _SQLITE_OPTIONS if address.startswith("sqlite") else {"pool_pre_ping": True}
    with file_lock("optuna-open"):
        for _ in range(_MAX_TRIES):
            try:
                return optuna.storages.RDBStorage(
                    address, engine_kwargs=options, heartbeat_interval=heartbeat_s, grace_period=grace_s
                )
            except (IntegrityError, ProgrammingError) as error:  # another machine has just made a table
                last_error = error
                time.sleep(1)
        raise last_error


@contextmanager
def storage_errors(address: str) -> Iterator[None]:
    """Turn an error of the study's database inside the block into one line.

    Raises:
        UserError: the database failed, or has no such study.
    """
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, KeyError) as error:  # KeyError: there is no such study
        reason = (str(error.__cause__ or error).splitlines() or [""])[0]
        raise UserError(redact(f"the sweep's storage {address} failed ({type(error).__name__}: {reason})")) from error
