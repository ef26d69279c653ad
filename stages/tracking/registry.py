"""MLflow's model registry: of each data set the versions of exported models, one of which is its champion."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from stages.project.console import Refusal
from stages.tracking.search import finished
from stages.tracking.store import Store

ALIAS = "champion"
CLASSES_TAG = "classes.digest"  # of a version
_URI = "MLFLOW_TRACKING_URI"
_PREDICTIONS = "test/predictions.csv"  # where `evaluate` logs them


@dataclass(frozen=True)
class Exported:
    """A model that `export` logged.

    Attributes:
        model_id: MLflow's.
        run_id: of the run that it belongs to.
        commit: that it was trained at; "" where git did not tell.
    """

    model_id: str
    run_id: str
    commit: str


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        number: the registry's.
        model: its name in params.yaml.
        key: of its training.
        source: the address of the exported model.
        run_id: of its run.
        model_id: of the exported model; "" where somebody has registered another address.
        classes: the digest of its class names; "" where the version has no such tag.
    """

    number: str
    model: str
    key: str
    source: str
    run_id: str
    model_id: str
    classes: str

    def __str__(self) -> str:
        return f"{self.model} (version {self.number})"


def exported(store: Store, key: str) -> Exported | None:
    """What was exported last of a training; None where the store has nothing of it."""
    for run_id in finished(store, key):
        condition, newest = f"source_run_id = '{run_id}'", [{"field_name": "creation_timestamp", "ascending": False}]
        found = store.client.search_logged_models([store.experiment_id], condition, order_by=newest)
        if ready := [model for model in found if str(model.status) == "READY"]:
            tags = store.client.get_run(run_id).data.tags
            return Exported(ready[0].model_id, run_id, tags.get("git.commit", ""))
    return None


def version(store: Store, dataset: str, model: Exported, tags: dict[str, str], description: str) -> Version:
    """The version of an exported model, made where there is none, in the registered model named after its data set.

    Args:
        store: whose registry it is.
        dataset: its name.
        model: the exported one.
        tags: of a new version; `model` and `pipeline.key` among them.
        description: of a new version, in Markdown.
    """
    if not store.client.search_registered_models(f"name = '{dataset}'"):
        store.client.create_registered_model(dataset, description=f"Models of the data set {dataset}.")
    source = f"models:/{model.model_id}"  # a database keeps no other mark of the exported model
    for found in store.client.search_model_versions(f"name = '{dataset}' and run_id = '{model.run_id}'"):
        if found.source == source:
            return _version(found)
    named = {"run_id": model.run_id, "model_id": model.model_id, "tags": tags, "description": description}
    with _as_default(store.uri):
        return _version(store.client.create_model_version(dataset, source, **named))


@contextmanager
def _as_default(uri: str) -> Iterator[None]:
    """Make a store MLflow's default inside the block: its registry looks there for the exported model.

    Else it would open `mlflow.db` in the working folder, whatever store the project has, by an address that it makes of
    the folder's path: `a b` would get an empty `a%20b` beside it.
    """
    before = os.environ.get(_URI)
    os.environ[_URI] = uri
    try:
        yield
    finally:
        os.environ.pop(_URI)
        os.environ |= {_URI: before} if before is not None else {}


def has_files(store: Store, model_id: str) -> bool:
    """Return whether an exported model can be loaded: its files are where the store says."""
    from mlflow.exceptions import MlflowException

    try:
        return any(file.path == "MLmodel" for file in store.client.list_logged_model_artifacts(model_id))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # it was deleted
            return False
        raise


def champion(store: Store, dataset: str) -> Version | None:
    """The version that has the alias, None where none has."""
    found = store.client.search_registered_models(f"name = '{dataset}'")
    number = found[0].aliases.get(ALIAS) if found else None
    return _version(store.client.get_model_version(dataset, number)) if number else None


def crown(store: Store, dataset: str, one: Version) -> None:
    """Give a version the alias, and take it from the one that has it."""
    store.client.set_registered_model_alias(dataset, ALIAS, one.number)


def predictions_csv(store: Store, one: Version) -> bytes:
    """What a version's model made of the test set, as its run keeps it.

    Raises:
        Refusal: the run has no such file, or is gone.
    """
    from mlflow.exceptions import MlflowException

    try:
        with TemporaryDirectory() as folder:
            return Path(store.client.download_artifacts(one.run_id, _PREDICTIONS, folder)).read_bytes()
    except (MlflowException, OSError) as error:
        raise Refusal(
            f"the champion {one} cannot be compared: {_PREDICTIONS} of its run {one.run_id} is gone; "
            f"take the alias {ALIAS} from it on MLflow's page of models to have another one chosen"
        ) from error


def _version(found: Any) -> Version:
    model, key = (found.tags.get(tag, "?") for tag in ("model", "pipeline.key"))
    scheme, _, name = found.source.partition(":/")
    model_id = name if scheme == "models" and "/" not in name and "@" not in name else ""
    classes = found.tags.get(CLASSES_TAG, "")
    return Version(str(found.version), model, key, found.source, found.run_id, model_id, classes)
