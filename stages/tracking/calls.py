"""What is logged, each in one request to the store."""

from typing import Any


def log_metrics(client: Any, run_id: str | None, values: dict[str, float], step: int, now: int) -> None:
    """Log metrics of the time `now`, in milliseconds."""
    from mlflow.entities import Metric

    client.log_batch(run_id, metrics=[Metric(name, value, now, step) for name, value in values.items()])


def log_params(client: Any, run_id: str | None, values: dict[str, Any]) -> None:
    """Log params."""
    from mlflow.entities import Param

    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in values.items()])


def set_tags(client: Any, run_id: str | None, values: dict[str, str]) -> None:
    """Set tags in one request."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in values.items()])
