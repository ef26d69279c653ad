"""The MLflow store: opened late, once, under a lock."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from stages.params import load
from stages.project.console import Refusal
from stages.project.locks import exclusive
from stages.tracking.addresses import absolute, database_file
from stages.tracking.moved import ARTIFACTS, follow
from stages.tracking.secrets import masked

# Must be set before MLflow is imported. An unreachable server may cost seconds, not minutes.
_SETTINGS = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # of single files
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # of each run that ends, with the server's password
    "GIT_PYTHON_REFRESH": "quiet",
}

_OWN = "sqlite:///mlflow.db"  # in the repository's root


@dataclass(frozen=True)
class Store:
    """An open store: MLflow's client, its address and the project's experiment."""

    client: Any
    uri: str
    experiment_id: str


def mode() -> str:
    """`on`, `off` or `strict`, from the environment variable TRACKING."""
    asked = os.environ.get("TRACKING", "on")
    if asked not in ("on", "off", "strict"):
        raise Refusal(f"TRACKING is {asked!r}; allowed: on, off, strict")
    return asked


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, else the param, absolute; `auto` is a database in the repository's root.

    Raises:
        Refusal: as `absolute`.
    """
    (settings,) = load("mlflow")
    if address := os.environ.get("MLFLOW_TRACKING_URI"):
        return absolute(address, "MLFLOW_TRACKING_URI")
    address = settings.tracking_uri
    return absolute(_OWN if address == "auto" else address, "mlflow.tracking_uri in params.yaml")


def registry_uri() -> str | None:
    """Return MLFLOW_REGISTRY_URI, absolute; None where models are registered in the store of the runs.

    Raises:
        Refusal: as `absolute`.
    """
    address = os.environ.get("MLFLOW_REGISTRY_URI")
    return absolute(address, "MLFLOW_REGISTRY_URI") if address else None


def open_store() -> Store:
    """Open the store, making database and experiment where there are none.

    Two processes that make the database at once break it, hence the lock. The database of a repository that was
    copied or moved is mended.

    Raises:
        Refusal: the project's experiment was deleted, or as `absolute`.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    (settings,) = load("mlflow")
    uri = tracking_uri()
    with exclusive("mlflow-open"):
        client = MlflowClient(tracking_uri=uri, registry_uri=registry_uri())
        if file := database_file(uri):
            follow(file)
        experiment = client.get_experiment_by_name(settings.experiment)
        if experiment is None:
            return Store(client, uri, _created(client, settings.experiment, _artifact_location(uri)))
    if experiment.lifecycle_stage == "deleted":
        raise Refusal(
            f"MLflow's experiment {settings.experiment} (id {experiment.experiment_id}) was deleted; "
            f"`mlflow experiments restore -x {experiment.experiment_id}` brings it back{_of_address()}, "
            "or name another one: mlflow.experiment in params.yaml"
        )
    return Store(client, uri, experiment.experiment_id)


def _of_address() -> str:
    """Return what a command of MLflow's is to be told besides, which knows the variable and not params.yaml."""
    (settings,) = load("mlflow")
    if settings.tracking_uri == "auto" or os.environ.get("MLFLOW_TRACKING_URI"):
        return ""
    return masked(f" with MLFLOW_TRACKING_URI={tracking_uri()}")


def _created(client: Any, name: str, artifacts: str | None) -> str:
    """The id of a new experiment, or of the one that another machine has just made: no lock reaches that far."""
    from mlflow.exceptions import MlflowException

    try:
        return client.create_experiment(name, artifacts)
    except MlflowException:
        if made := client.get_experiment_by_name(name):
            return made.experiment_id
        raise


def open_or_refuse() -> Store:
    """`open_store`, for a command that is of no use without it.

    Raises:
        Refusal: the store cannot be opened.
    """
    try:
        return open_store()
    except Refusal:
        raise
    except Exception as error:
        raise Refusal(masked(f"MLflow's store {tracking_uri()} cannot be opened: {error}")) from error


def open_if_there() -> Store | None:
    """The store, for a command that may do without it; None where there is none yet, or TRACKING is off.

    Raises:
        Refusal: it cannot be opened.
    """
    if mode() == "off" or ((file := database_file(tracking_uri())) and not file.exists()):
        return None
    return open_or_refuse()


@contextmanager
def answering(store: Store, what: str) -> Iterator[None]:
    """Say in one line that the store failed inside the block.

    Raises:
        Refusal: it did; `what` was not done.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise Refusal(masked(f"{what}: MLflow's store {store.uri} failed ({error}); run it again")) from error


def _artifact_location(uri: str) -> str | None:
    """Return the folder beside the database; a server knows its own."""
    file = database_file(uri)
    return (file.parent / ARTIFACTS).as_uri() if file else None
