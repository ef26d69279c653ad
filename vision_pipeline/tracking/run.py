"""The MLflow run of a model, to which a stage logs.

Requests that the store cannot take now are queued and sent again. An error that will not pass ends the logging, not
the stage; it is reported once, without passwords.
"""

import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.signals import Interrupted
from vision_pipeline.tracking.lineage import dataset_input
from vision_pipeline.tracking.optuna_trial import PRUNED, TrialHandle
from vision_pipeline.tracking.records import RunRecord
from vision_pipeline.tracking.secrets import redact
from vision_pipeline.tracking.store import Store, tracking_mode

_RETRY_FACTOR = 10  # a try that failed after a second is repeated after ten: waiting takes a tenth of the time at most
_MIN_RETRY_S = 1.0  # seconds between two tries


class Run:
    """The MLflow run of a model; every call is a no-op when nothing is tracked.

    Requests that the store cannot take now are kept in order, and sent again by later calls and at the end; no wait is
    long. A request that the store refuses is reported once, and ends the logging, not the work. Each request carries
    its own time, so that one that is sent twice, because its answer got lost, is stored once.

    Attributes:
        id: MLflow's id, None where nothing is tracked.
        logged_epochs: number of epochs that an interrupted training has logged before.
        trial: the sweep's trial that this training belongs to, None where it belongs to none.
    """

    def __init__(self, store: Store | None, run_id: str | None) -> None:
        self._store = store
        self.id = run_id
        self.logged_epochs = 0
        self.trial: TrialHandle | None = None
        self._pending: deque[tuple[str, Callable[[Any], None]]] = deque()
        self._retry_at: float | None = None  # by time.monotonic(); None while the store answers

    def log_metrics(self, values: dict[str, float], step: int = 0) -> None:
        """Log metrics in one request."""
        timestamp_ms = _now_ms()
        self.submit(
            "metrics", lambda client: send_metrics(client, self.id, values, step=step, timestamp_ms=timestamp_ms)
        )

    def log_epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Log the metrics of an epoch, once: a training that is resumed from a state may repeat some epochs.

        Raises:
            Interrupted: the training is a sweep's trial, which the sweep ends here.
        """
        timestamp_ms = _now_ms()
        self.submit("metrics", partial(self._send_epoch, epoch, metrics, timestamp_ms))
        if self.trial and self.trial.report_and_should_prune(epoch, metrics):
            self.set_tags({PRUNED: "true"})
            raise Interrupted(f"pruned by the sweep {self.trial.study} after epoch {epoch}")

    def log_record(self, record: RunRecord) -> None:
        """Log metrics, tags and files of a record."""
        for step, metrics in record.metrics.items():
            self.log_metrics(metrics, step)
        self.set_tags(record.tags)
        for folder, files in record.artifacts.items():
            self.log_artifacts(*files, folder=folder)

    def log_params(self, values: dict[str, Any]) -> None:
        """Log params; MLflow refuses to change one that is there."""
        self.submit("params", lambda client: send_params(client, self.id, values))

    def set_tags(self, values: dict[str, str]) -> None:
        """Set tags."""
        self.submit("tags", lambda client: send_tags(client, self.id, values))

    def log_artifacts(self, *paths: Path, folder: str = "") -> None:
        """Log files."""
        for path in map(str, paths):
            self.submit(path, partial(self._send_artifact, path, folder))

    def log_text(self, path: str, content: str) -> None:
        """Log a text as a file of the run."""
        self.submit(path, lambda client: client.log_text(self.id, content, path))

    def log_dataset(self, folder: Path) -> None:
        """Log the data set of a folder in the prepared format as the run's input."""
        self.submit("the data set", lambda client: client.log_inputs(self.id, [dataset_input(folder)]))

    def finish(self, status: str) -> None:
        """End the run as FINISHED, FAILED or KILLED, and flush what is pending."""
        timestamp_ms = _now_ms()
        self._pending.append(
            ("the end of the run", lambda client: client.set_terminated(self.id, status, timestamp_ms))
        )
        self.flush()

    def flush(self) -> bool:
        """Try a last time to send what is pending; what cannot be sent is reported, and ends the logging.

        Returns:
            Whether all was logged.
        """
        if error := self._drain():
            (label, _), *others = self._pending
            self._stop_logging(f"{label} and {len(others)} more" if others else label, error)
        return self._store is not None

    def submit(self, label: str, request: Callable[[Any], None]) -> None:
        """Call `request` with MLflow's client, now or, where the store cannot be reached, later.

        Args:
            label: what is logged, for messages.
            request: sends it, given the client.
        """
        if self._store is None:
            return
        self._pending.append((label, request))
        if self._retry_at is None or time.monotonic() >= self._retry_at:
            self._drain()

    def _drain(self) -> Exception | None:
        """Send what is pending, in order, up to the first that fails; return its error, where it may pass."""
        started = time.monotonic()
        while self._store and self._pending:
            label, request = self._pending[0]
            try:
                request(self._store.client)
            except Exception as error:
                if tracking_mode() == "strict" or is_permanent(error):
                    self._stop_logging(f"{label} and all that follows", error)
                    return None
                self._schedule_retry(label, error, time.monotonic() - started)
                return error
            self._pending.popleft()
        if self._retry_at is not None and self._store:
            logger.info("MLflow: the store is back, and has what was kept for it")
        self._retry_at = None
        return None

    def _schedule_retry(self, label: str, error: Exception, elapsed_s: float) -> None:
        if self._retry_at is None:
            logger.warning(f"MLflow: {label} could not be logged ({describe_error(error)}); it is kept and tried again")
        delay_s = max(_MIN_RETRY_S, _RETRY_FACTOR * elapsed_s)
        logger.debug(f"MLflow: {len(self._pending)} requests are pending; next try in {delay_s:.1f} s")
        self._retry_at = time.monotonic() + delay_s

    def _stop_logging(self, label: str, error: Exception) -> None:
        self._pending.clear()
        report_lost(label, error)
        self._store = None

    def _send_epoch(self, epoch: int, metrics: dict[str, float], timestamp_ms: int, client: Any) -> None:
        if epoch > self.logged_epochs:
            send_metrics(client, self.id, metrics, step=epoch, timestamp_ms=timestamp_ms)

    def _send_artifact(self, path: str, folder: str, client: Any) -> None:
        client.log_artifact(self.id, path, folder or None)


def _now_ms() -> int:
    return int(time.time() * 1000)


def is_permanent(error: Exception) -> bool:
    """Return whether the store will not answer otherwise: HTTP's 4xx but for "later" (408, 429)."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        status = error.get_http_status_code()
    else:  # an error of `requests`, which moves the artifacts
        status = getattr(getattr(error, "response", None), "status_code", 500)
    return isinstance(error, UserError) or (400 <= status < 500 and status not in (408, 429))


def report_lost(label: str, error: Exception) -> None:
    """Warn of what was not logged.

    Raises:
        UserError: TRACKING is strict.
    """
    message = f"MLflow: {label} could not be logged ({describe_error(error)})"
    if tracking_mode() == "strict":
        raise UserError(f"{message}, and TRACKING is strict") from error
    logger.warning(f"{message}; the results are not touched, and `vision sync` logs it later")


def describe_error(error: Exception) -> str:
    """Return kind and first line of an error, of a UserError the line alone, without passwords."""
    first_line = (str(error).splitlines() or [""])[0]
    return redact(first_line if isinstance(error, UserError) else f"{type(error).__name__}: {first_line}")


def send_metrics(client: Any, run_id: str | None, values: dict[str, float], *, step: int, timestamp_ms: int) -> None:
    """Log metrics in one request.

    Args:
        client: MLflow's.
        run_id: id of the run.
        values: metrics by name.
        step: epoch or another step.
        timestamp_ms: their time, in milliseconds since 1970.
    """
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[Metric(name, value, timestamp_ms, step) for name, value in values.items()])


def send_params(client: Any, run_id: str | None, values: dict[str, Any]) -> None:
    """Log params in one request."""
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])


def send_tags(client: Any, run_id: str | None, values: dict[str, str]) -> None:
    """Set tags in one request."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in values.items()])
