"""A model's MLflow run, as a stage uses it."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from stages.project.console import warn
from stages.project.stopping import Stopped
from stages.tracking.lineage import dataset_input
from stages.tracking.pruning import PRUNED, Watched
from stages.tracking.records import Record, layer_figures
from stages.tracking.store import Store, mode


class Run:
    """A model's MLflow run; every call is a no-op when nothing is tracked.

    The first failure of the store is said once, loudly, and ends the logging, not the work.

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

    @property
    def uri(self) -> str:
        """The store's address; empty when nothing is tracked."""
        return self._store.uri if self._store else ""

    def metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Log metrics in one request."""
        self.do("metrics", partial(_log_metrics, self.id, values, step))

    def epoch(self, number: int, figures: dict[str, float]) -> None:
        """Log an epoch's figures, once: a training that goes on from a state may repeat some epochs.

        Raises:
            Stopped: the training is a sweep's trial, which the sweep ends here.
        """
        if number > self.epochs:
            self.metrics(figures, step=number)
        if self.trial and self.trial.hopeless(number, figures):
            self.tags({PRUNED: "true"})
            raise Stopped(f"pruned by the sweep {self.trial.study} after epoch {number}")

    def layers(self, path: Path) -> None:
        """Log a `layers.csv`: by epoch, each layer's figures as `layers.<layer>.<figure>`."""
        for epoch, figures in layer_figures(path).items():
            self.metrics(figures, step=epoch)

    def record(self, record: Record) -> None:
        """Log what a stage has to say of the model."""
        for step, figures in record.metrics.items():
            self.metrics(figures, step)
        self.tags(record.tags)
        for folder, files in record.artifacts.items():
            self.artifacts(*files, folder=folder)

    def params(self, values: dict[str, Any]) -> None:
        """Log params; MLflow refuses to change one that is there."""
        self.do("params", partial(_log_params, self.id, values))

    def tags(self, values: dict[str, str]) -> None:
        """Set tags."""
        self.do("tags", partial(_set_tags, self.id, values))

    def artifacts(self, *paths: Path, folder: str = "") -> None:
        """Log files."""
        for path in map(str, paths):
            self.do(path, partial(_log_artifact, self.id, path, folder))

    def text(self, path: str, content: str) -> None:
        """Log a text as a file of the run."""
        self.do(path, lambda client: client.log_text(self.id, content, path))

    def dataset(self, folder: Path) -> None:
        """Log the data set of a folder in the prepared format as the run's input."""
        self.do("the data set", lambda c: c.log_inputs(self.id, [dataset_input(folder)]))

    def finish(self, status: str) -> None:
        """End the run: FINISHED, FAILED or KILLED."""
        self.do("the end of the run", lambda c: c.set_terminated(self.id, status))

    def do(self, what: str, work: Callable[[Any], None]) -> None:
        """Do `work` with MLflow's client; a failure is said once and ends the logging."""
        if self._store is None:
            return
        try:
            work(self._store.client)
        except Exception as error:
            give_up(f"{what} and all that follows", error)
            self._store, self.id = None, None


def _log_metrics(run_id: str | None, values: dict[str, float], step: int, client: Any) -> None:
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    client.log_batch(run_id, metrics=[Metric(name, value, now, step) for name, value in values.items()])


def _log_params(run_id: str | None, values: dict[str, Any], client: Any) -> None:
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])


def _set_tags(run_id: str | None, values: dict[str, str], client: Any) -> None:
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in values.items()])


def _log_artifact(run_id: str | None, path: str, folder: str, client: Any) -> None:
    client.log_artifact(run_id, path, folder or None)


def give_up(what: str, error: Exception) -> None:
    """Say what was not logged; with TRACKING=strict, fail."""
    if mode() == "strict":
        raise error
    first_line = (str(error).splitlines() or [""])[0]
    warn(f"MLflow: {what} could not be logged ({type(error).__name__}: {first_line}); the results are not touched")
