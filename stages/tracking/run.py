"""A model's MLflow run, as a stage uses it."""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stages.project.console import say, warn
from stages.project.stopping import Stopped
from stages.tracking.calls import log_metrics, log_params, set_tags
from stages.tracking.failures import give_up, refused, told
from stages.tracking.lineage import dataset_input
from stages.tracking.pruning import PRUNED, Watched
from stages.tracking.records import Record
from stages.tracking.store import Store, mode

_PATIENCE = 10  # a try that failed after a second is repeated after ten: waiting takes a tenth of the time at most
_SHORTEST = 1.0  # seconds between two tries


class Run:
    """A model's MLflow run; every call is a no-op when nothing is tracked.

    What the store cannot take now is kept, in order, and tried again by later calls and at the end; no wait is long.
    A call that the store refuses is said once, loudly, and ends the logging, not the work. What was logged twice,
    for an answer got lost, is there once: each call carries its own time.

    Attributes:
        id: MLflow's, None where nothing is tracked.
        epochs: those that were logged before, by a training that was interrupted.
        trial: of a sweep, that the training is; None where it is none.
    """

    def __init__(self, store: Store | None, run_id: str | None) -> None:
        self._store = store
        self.id = run_id
        self.epochs = 0
        self.trial: Watched | None = None
        self._kept: deque[tuple[str, Callable[[Any], None]]] = deque()
        self._retry_at: float | None = None  # of time.monotonic(); None while the store answers

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Log metrics in one request."""
        now = int(time.time() * 1000)
        self.do("metrics", lambda client: log_metrics(client, self.id, values, step, now))

    def epoch(self, number: int, figures: dict[str, float]) -> None:
        """Log an epoch's figures, once: a training that goes on from a state may repeat some epochs.

        Raises:
            Stopped: the training is a sweep's trial, which the sweep ends here.
        """
        now = int(time.time() * 1000)
        self.do("metrics", partial(self._log_epoch, number, figures, now))
        if self.trial and self.trial.hopeless(number, figures):
            self.tags({PRUNED: "true"})
            raise Stopped(f"pruned by the sweep {self.trial.study} after epoch {number}")

    def record(self, record: Record) -> None:
        """Log what a stage has to say of the model."""
        for step, figures in record.metrics.items():
            self.metrics(figures, step)
        self.tags(record.tags)
        for folder, files in record.artifacts.items():
            self.artifacts(*files, folder=folder)

    def params(self, values: dict[str, Any]) -> None:
        """Log params; MLflow refuses to change one that is there."""
        self.do("params", lambda client: log_params(client, self.id, values))

    def tags(self, values: dict[str, str]) -> None:
        """Set tags."""
        self.do("tags", lambda client: set_tags(client, self.id, values))

    def artifacts(self, *paths: Path, folder: str = "") -> None:
        """Log files."""
        for path in map(str, paths):
            self.do(path, partial(self._log_artifact, path, folder))

    def text(self, path: str, content: str) -> None:
        """Log a text as a file of the run."""
        self.do(path, lambda client: client.log_text(self.id, content, path))

    def dataset(self, folder: Path) -> None:
        """Log the data set of a folder in the prepared format as the run's input."""
        self.do("the data set", lambda c: c.log_inputs(self.id, [dataset_input(folder)]))

    def finish(self, status: str) -> None:
        """End the run: FINISHED, FAILED or KILLED; what is kept is settled."""
        now = int(time.time() * 1000)
        self._kept.append(("the end of the run", lambda client: client.set_terminated(self.id, status, now)))
        self.settle()

    def settle(self) -> bool:
        """Try a last time what is kept; whether all was logged. What was not is said, and ends the logging."""
        if error := self._deliver():
            (what, _), *more = self._kept
            self._end(f"{what} and {len(more)} more" if more else what, error)
        return self._store is not None

    def do(self, what: str, work: Callable[[Any], None]) -> None:
        """Do `work` with MLflow's client, now or, where the store cannot be reached, later."""
        if self._store is None:
            return
        self._kept.append((what, work))
        if self._retry_at is None or time.monotonic() >= self._retry_at:
            self._deliver()

    def _deliver(self) -> Exception | None:
        """Do what is kept, in order, up to the first that fails; its error, where it is one that may pass."""
        began = time.monotonic()
        while self._store and self._kept:
            what, work = self._kept[0]
            try:
                work(self._store.client)
            except Exception as error:
                if mode() == "strict" or refused(error):
                    self._end(f"{what} and all that follows", error)
                    return None
                self._keep(what, error, time.monotonic() - began)
                return error
            self._kept.popleft()
        if self._retry_at is not None and self._store:
            say("MLflow: the store is back, and has what was kept for it")
        self._retry_at = None
        return None

    def _keep(self, what: str, error: Exception, took: float) -> None:
        if self._retry_at is None:
            warn(f"MLflow: {what} could not be logged ({told(error)}); it is kept and tried again")
        self._retry_at = time.monotonic() + max(_SHORTEST, _PATIENCE * took)

    def _end(self, what: str, error: Exception) -> None:
        self._kept.clear()
        give_up(what, error)
        self._store = None

    def _log_epoch(self, number: int, figures: dict[str, float], now: int, client: Any) -> None:
        if number > self.epochs:
            log_metrics(client, self.id, figures, number, now)

    def _log_artifact(self, path: str, folder: str, client: Any) -> None:
        client.log_artifact(self.id, path, folder or None)
