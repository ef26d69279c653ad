"""The model registry of MLflow: for each data set, versions of exported models, one of which is the champion.

The class names of a version, in the order of its logits, are compared before a challenger becomes the champion.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.text import join_limited
from vision_pipeline.tracking.search import finished_run_ids
from vision_pipeline.tracking.store import Store

CHAMPION_ALIAS = "champion"
CLASSES_TAG = "classes.digest"  # tag of a version
_URI_VARIABLE = "MLFLOW_TRACKING_URI"
_PREDICTIONS = "test/predictions.csv"  # logged by `evaluate`
_CLASSES_FILE, _ONNX_FILE = "classes.json", "model.onnx"  # logged by `export`
_MAX_NAMES = 5  # class names in a message


@dataclass(frozen=True)
class LoggedModel:
    """A model that `export` logged.

    Attributes:
        model_id: MLflow's id of the model.
        run_id: id of its run.
        commit: commit that it was trained at; "" where it is unknown.
    """

    model_id: str
    run_id: str
    commit: str


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model.

    Attributes:
        number: the registry's number.
        model: name of the model in params.yaml.
        key: key of its training.
        source: address of the exported model.
        run_id: id of its run.
        model_id: MLflow's id of the exported model; "" where somebody has registered another address.
        classes: digest of its class names; "" where the version has no such tag.
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


def latest_exported(store: Store, key: str) -> LoggedModel | None:
    """Return the model that was exported last from the training `key`; None where the store has none."""
    for run_id in finished_run_ids(store, key):
        condition, order = f"source_run_id = '{run_id}'", [{"field_name": "creation_timestamp", "ascending": False}]
        models = store.client.search_logged_models([store.experiment_id], condition, order_by=order)
        if ready := [model for model in models if str(model.status) == "READY"]:
            tags = store.client.get_run(run_id).data.tags
            return LoggedModel(ready[0].model_id, run_id, tags.get("git.commit", ""))
    return None


def get_or_create_version(
    store: Store, dataset: str, model: LoggedModel, *, tags: dict[str, str], description: str
) -> ModelVersion:
    """Return the version of an exported model, created where there is none.

    The registered model that it is a version of has the name of the data set.

    Args:
        store: store whose registry it is.
        dataset: name of the data set.
        model: the exported model.
        tags: tags of a new version, with `model` and `pipeline.key`.
        description: description of a new version, in Markdown.
    """
    if not store.client.search_registered_models(f"name = '{dataset}'"):
        store.client.create_registered_model(dataset, description=f"Models of the data set {dataset}.")
    source = f"models:/{model.model_id}"  # a database stores no other reference to the exported model
    for entity in store.client.search_model_versions(f"name = '{dataset}' and run_id = '{model.run_id}'"):
        if entity.source == source:
            return _to_version(entity)
    fields = {"run_id": model.run_id, "model_id": model.model_id, "tags": tags, "description": description}
    with _use_tracking_uri(store.uri):
        version = _to_version(store.client.create_model_version(dataset, source, **fields))
    logger.debug(f"MLflow: {dataset} has a new version {version.number}, {source} of {version.model}")
    return version


@contextmanager
def _use_tracking_uri(uri: str) -> Iterator[None]:
    """Make a store MLflow's default inside the block: its registry looks there for the exported model.

    Else MLflow would open `mlflow.db` in the working folder, whatever store the project has, by an address that it
    makes from the folder's path: `a b` would get an empty `a%20b` beside it.
    """
    before = os.environ.get(_URI_VARIABLE)
    os.environ[_URI_VARIABLE] = uri
    try:
        yield
    finally:
        os.environ.pop(_URI_VARIABLE)
        os.environ |= {_URI_VARIABLE: before} if before is not None else {}


def has_files(store: Store, model_id: str) -> bool:
    """Return whether an exported model can be loaded: its files are where the store locates them."""
    from mlflow.exceptions import MlflowException

    try:
        return any(file.path == "MLmodel" for file in store.client.list_logged_model_artifacts(model_id))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":  # it was deleted
            return False
        raise


def get_champion(store: Store, dataset: str) -> ModelVersion | None:
    """Return the version with the alias, None where there is none."""
    registered = store.client.search_registered_models(f"name = '{dataset}'")
    number = registered[0].aliases.get(CHAMPION_ALIAS) if registered else None
    return _to_version(store.client.get_model_version(dataset, number)) if number else None


def set_champion(store: Store, dataset: str, version: ModelVersion) -> None:
    """Move the alias to a version."""
    store.client.set_registered_model_alias(dataset, CHAMPION_ALIAS, version.number)


def download_predictions(store: Store, version: ModelVersion) -> bytes:
    """Return the content of `predictions.csv` of a version's test, from its run.

    Raises:
        ArtifactError: the run has no such file, or is gone.
    """
    from mlflow.exceptions import MlflowException

    try:
        with TemporaryDirectory() as folder:
            return Path(store.client.download_artifacts(version.run_id, _PREDICTIONS, folder)).read_bytes()
    except (MlflowException, OSError) as error:
        raise ArtifactError(
            f"the champion {version} cannot be compared: {_PREDICTIONS} of its run {version.run_id} is gone; "
            f"take the alias {CHAMPION_ALIAS} from it on MLflow's page of models to have another one chosen"
        ) from error


def _to_version(entity: Any) -> ModelVersion:
    model, key = (entity.tags.get(tag, "?") for tag in ("model", "pipeline.key"))
    scheme, _, name = entity.source.partition(":/")
    model_id = name if scheme == "models" and "/" not in name and "@" not in name else ""
    classes = entity.tags.get(CLASSES_TAG, "")
    return ModelVersion(str(entity.version), model, key, entity.source, entity.run_id, model_id, classes)


def class_digest_tag(store: Store, model_id: str) -> dict[str, str]:
    """Return the tag of a version of an exported model: 16 hexadecimal digits of the SHA-256 of its class names."""
    names = load_class_names(store, model_id)
    return {} if names is None else {CLASSES_TAG: hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]}


def load_class_names(store: Store, model_id: str) -> list[str] | None:
    """Return the classes of an exported model; None where the store does not have them.

    A model that was logged before `classes.json` existed has them in its ONNX file.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    for file, read in ((_CLASSES_FILE, _read_names_from_json), (_ONNX_FILE, _read_names_from_onnx)):
        with TemporaryDirectory() as folder:
            try:
                location = store.client.get_logged_model(model_id).artifact_location
                path = download_artifacts(f"{location}/{file}", dst_path=folder, tracking_uri=store.uri)
            except (MlflowException, OSError):
                continue
            return read(Path(path))
    return None


def _read_names_from_json(file: Path) -> list[str]:
    return list(json.loads(file.read_text(encoding="utf-8")))


def _read_names_from_onnx(file: Path) -> list[str] | None:
    import onnx

    model = onnx.load(file)
    names = [entry.value for entry in model.metadata_props if entry.key == "class_names"]
    return list(json.loads(names[0])) if names else None


def describe_class_changes(store: Store, champion: ModelVersion, challenger: ModelVersion) -> str:
    """Return how the challenger's classes differ from the champion's; empty where they do not.

    Classes that are not recorded may be other ones; those of one training are the same. Names are read only where the
    digests in the versions' tags do not decide, because the champion's files may be gone.
    """
    if champion.key == challenger.key or (champion.classes and champion.classes == challenger.classes):
        return ""
    before, now = (
        load_class_names(store, version.source.removeprefix("models:/")) for version in (champion, challenger)
    )
    if before is None or now is None:
        return f"the classes of {champion if before is None else challenger} are not recorded"
    if before == now:
        return ""
    sides = {"new": [name for name in now if name not in before], "gone": [name for name in before if name not in now]}
    changes = [f"{side}: {_format_names(names)}" for side, names in sides.items() if names]
    if changes:
        return f"its classes are not the champion's ({'; '.join(changes)})"
    return f"it has the champion's classes in another order ({_format_names(now)}; before {_format_names(before)})"


def _format_names(names: list[str]) -> str:
    return join_limited([repr(name) for name in names], _MAX_NAMES)
