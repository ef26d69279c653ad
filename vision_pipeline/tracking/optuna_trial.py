"""A trial of `vision sweep`, as its training sees it: it reports each epoch, and may be told to end.

The trial is named in the environment, for no result depends on it: a training that a sweep ends leaves none.
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
PRUNED = "pruned"  # an attribute of the trial: the key of its training, which was ended
_MAX_TRIES = 3
_SQLITE_OPTIONS = {"connect_args": {"timeout": 60}}  # seconds that SQLite waits while another process writes


@dataclass(frozen=True)
class TrialHandle:
    """The trial that a training is.

    Attributes:
        storage: address of the database that keeps the study.
        study: its name there.
        trial: its id there.
        model: that is trained.
        metric: of an epoch, that is reported.
        epochs: that are asked for; after the last one there is nothing left to save.
        prune: {"after_trials": ..., "after_epochs": ...}, None where every trial is trained to the end.
        key: of its training, once that has begun.
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
        """That a training finds itself in."""
        return {TRIAL_VARIABLE: json.dumps(asdict(self))}

    def report_and_should_prune(self, epoch: int, metrics: dict[str, float]) -> bool:
        """Report an epoch's figures; whether the training is to end, which the trial then says of itself.

        Raises:
            UserError: the study cannot be reached, or has given the trial up for dead.
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
    """The trial that the training `key` of `model` is; None where it is none."""
    if not (text := os.environ.get(TRIAL_VARIABLE)):
        return None
    trial = TrialHandle(**json.loads(text))
    return replace(trial, key=key) if trial.model == model else None


def open_storage(address: str, heartbeat_s: int | None = None, grace_s: int | None = None) -> Any:
    """Optuna's storage in a database, whose tables are made where there are none.

    Two processes that make them at once break them, hence the lock; of two machines the one that lost tries again.

    Args:
        address: SQLAlchemy's, such as sqlite:////home/me/optuna.db.
        heartbeat_s: seconds between the signs of life of a trial that runs.
        grace_s: seconds without one, after which it counts as dead.
    """
    import optuna
    from sqlalchemy.exc import IntegrityError, ProgrammingError

    optuna.logging.set_verbosity(optuna.logging.ERROR)  # the sweep says what became of a trial
    # a server that was restarted has dropped its connections: each is tried before it is used
    options: dict[str, Any] = _SQLITE_OPTIONS if address.startswith("sqlite") else {"pool_pre_ping": True}
    with file_lock("optuna-open"):
        for _ in range(_MAX_TRIES):
            try:
                return optuna.storages.RDBStorage(
                    address, engine_kwargs=options, heartbeat_interval=heartbeat_s, grace_period=grace_s
                )
            except (IntegrityError, ProgrammingError) as error:  # a table is there that was not a moment ago
                last_error = error
                time.sleep(1)
        raise last_error


@contextmanager
def storage_errors(address: str) -> Iterator[None]:
    """Errors of the database inside the block as one line.

    Raises:
        UserError: one came up.
    """
    from optuna.exceptions import OptunaError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (OptunaError, SQLAlchemyError, KeyError) as error:  # KeyError: there is no such study
        reason = (str(error.__cause__ or error).splitlines() or [""])[0]
        raise UserError(redact(f"the sweep's storage {address} failed ({type(error).__name__}: {reason})")) from error
