"""The store of MLflow: its absolute address, and how it is opened: late, once, under a lock.

A relative address would be lost in the throw-away copy of an experiment, so it counts from the repository.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root
from vision_pipeline.tracking.relocation import ARTIFACTS, repoint_database
from vision_pipeline.tracking.secrets import redact

_DEFAULT_URI = "sqlite:///mlflow.db"  # in the repository's root
_FILE_STORE_VARIABLE = "MLFLOW_ALLOW_FILE_STORE"  # MLflow's variable, by which it still writes into folders
# Must be set before MLflow is imported. An unreachable server may cost seconds, not minutes.
_MLFLOW_ENV = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ASYNC_LOGGING": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",  # else one for each file
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # else at each run's end, with the server's password
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class Store:
    """An open store: MLflow's client, its address and the id of the project's experiment."""

    client: Any
    uri: str
    experiment_id: str


def resolve_store_uri(address: str, setting: str) -> str:
    """Return the address of an MLflow store, its file or folder counted from the repository; a server's unchanged.

    Args:
        address: address, absolute or relative.
        setting: the variable or key that it is set in, for messages.

    Raises:
        UserError: it is a database in memory, or a folder and MLFLOW_ALLOW_FILE_STORE is not set.
    """
    scheme = urlsplit(address).scheme
    if scheme.startswith("sqlite"):
        return resolve_sqlite_uri(address, setting)
    if scheme not in ("", "file") or address == "databricks":
        return address
    if os.environ.get(_FILE_STORE_VARIABLE, "").lower() not in ("true", "1"):
        raise UserError(
            f"{setting} is the folder {address}, and MLflow keeps runs in a database now; set it to "
            "sqlite:///mlruns.db, or so (`mlflow migrate-filestore` takes over the runs that a folder has)"
        )
    return (repo_root() / unquote(urlsplit(address).path)).as_uri()


def resolve_sqlite_uri(address: str, setting: str) -> str:
    """Return a SQLite database's address with its file counted from the repository.

    Args:
        address: in SQLAlchemy's form: `?` begins options, and `%` a character's number.
        setting: the variable, key or option that it is set in, for messages.

    Raises:
        UserError: it has no file.
    """
    scheme, prefix, path, options = _split_sqlite_uri(address)
    if path in ("", ":memory:") or "mode=memory" in options:
        raise UserError(f"{setting}: a database in memory cannot be shared with the trainings; name a file")
    file = str(repo_root() / path).replace("%", "%25").replace("?", "%3F")
    return f"{scheme}:///{prefix}{file}" + (f"?{options}" if options else "")


def database_file(address: str) -> Path | None:
    """Return the file of an absolute SQLite address, None for another address."""
    return Path(_split_sqlite_uri(address)[2]) if address.startswith("sqlite") else None


def _split_sqlite_uri(address: str) -> tuple[str, str, str, str]:
    """Return a SQLite address's scheme, `file:` where its path has that in front, the path and the options."""
    scheme, _, rest = address.partition("://")
    path, _, options = rest.removeprefix("/").partition("?")
    prefix = "file:" if "uri=true" in options else ""  # SQLite's own form of an address
    return scheme, prefix, unquote(path).removeprefix(prefix), options


def tracking_mode() -> str:
    """Return `on`, `off` or `strict`, from the environment variable TRACKING.

    Raises:
        UserError: it has another value.
    """
    mode = os.environ.get("TRACKING", "on")
    if mode not in ("on", "off", "strict"):
        raise UserError(f"TRACKING is {mode!r}; allowed: on, off, strict")
    return mode


def tracking_uri() -> str:
    """Return MLFLOW_TRACKING_URI, else the param, absolute; `auto` is a database in the repository's root.

    Raises:
        UserError: it is a database in memory, or a folder.
    """
    (settings,) = load_params("mlflow")
    if address := os.environ.get("MLFLOW_TRACKING_URI"):
        return resolve_store_uri(address, "MLFLOW_TRACKING_URI")
    address = settings.tracking_uri
    return resolve_store_uri(_DEFAULT_URI if address == "auto" else address, "mlflow.tracking_uri in params.yaml")


def registry_uri() -> str | None:
    """Return MLFLOW_REGISTRY_URI, absolute; None where models are registered in the store of the runs.

    Raises:
        UserError: it is a database in memory, or a folder.
    """
    address = os.environ.get("MLFLOW_REGISTRY_URI")
    return resolve_store_uri(address, "MLFLOW_REGISTRY_URI") if address else None


def open_store() -> Store:
    """Open the store, creating database and experiment where there are none.

    Two processes that create the database at once break it, hence the lock. The database of a repository that was
    copied or moved is repaired.

    Raises:
        UserError: the project's experiment was deleted, or the address is a database in memory or a folder.
    """
    for name, value in _MLFLOW_ENV.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    (settings,) = load_params("mlflow")
    uri = tracking_uri()
    logger.debug(redact(f"MLflow: opening the store {uri}"))
    with file_lock("mlflow-open"):
        client = MlflowClient(tracking_uri=uri, registry_uri=registry_uri())
        if file := database_file(uri):
            repoint_database(file)
        experiment = client.get_experiment_by_name(settings.experiment)
        if experiment is None:
            return Store(client, uri, _get_or_create_experiment(client, settings.experiment, _locate_artifacts(uri)))
    if experiment.lifecycle_stage == "deleted":
        raise UserError(
            f"MLflow's experiment {settings.experiment} (id {experiment.experiment_id}) was deleted; "
            f"`mlflow experiments restore -x {experiment.experiment_id}` brings it back{_format_uri_hint()}, "
            "or name another one: mlflow.experiment in params.yaml"
        )
    return Store(client, uri, experiment.experiment_id)


def _format_uri_hint() -> str:
    """Return the variable that a command of MLflow's needs in addition, because it does not read params.yaml."""
    (settings,) = load_params("mlflow")
    if settings.tracking_uri == "auto" or os.environ.get("MLFLOW_TRACKING_URI"):
        return ""
    return redact(f" with MLFLOW_TRACKING_URI={tracking_uri()}")


def _get_or_create_experiment(client: Any, name: str, artifacts: str | None) -> str:
    """Return the id of a new experiment, or of the one that another machine has just created: no lock reaches it."""
    from mlflow.exceptions import MlflowException

    try:
        return client.create_experiment(name, artifacts)
    except MlflowException:
        if existing := client.get_experiment_by_name(name):
            return existing.experiment_id
        raise


def require_store() -> Store:
    """Open the store for a command that cannot work without it.

    Raises:
        UserError: the store cannot be opened.
    """
    try:
        return open_store()
    except UserError:
        raise
    except Exception as error:
        raise UserError(redact(f"MLflow's store {tracking_uri()} cannot be opened: {error}")) from error


def open_existing() -> Store | None:
    """Open the store for a command that can work without it; None where there is none yet, or TRACKING is off.

    Raises:
        UserError: it cannot be opened.
    """
    if tracking_mode() == "off" or ((file := database_file(tracking_uri())) and not file.exists()):
        return None
    return require_store()


@contextmanager
def store_errors(store: Store, consequence: str) -> Iterator[None]:
    """Turn a failure of the store inside the block into one line.

    Args:
        store: the store that is used inside the block.
        consequence: what was not done then, for the message.

    Raises:
        UserError: the store failed.
    """
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as error:
        raise UserError(redact(f"{consequence}: MLflow's store {store.uri} failed ({error}); run it again")) from error


def _locate_artifacts(uri: str) -> str | None:
    """Return the folder of artifacts beside a database; None for a server, which has its own."""
    file = database_file(uri)
    return (file.parent / ARTIFACTS).as_uri() if file else None
