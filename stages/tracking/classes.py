"""The classes that a registered model answers with: their names in the order of its logits."""

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from stages.tracking.registry import CLASSES_TAG, Version
from stages.tracking.store import Store

_NAMES, _ONNX = "classes.json", "model.onnx"  # as `export` logs them
_SHOWN = 5  # names


def digest_tag(store: Store, model_id: str) -> dict[str, str]:
    """Return the tag of a version of an exported model: 16 hexadecimal digits of the SHA-256 of its class names."""
    names = class_names(store, model_id)
    return {} if names is None else {CLASSES_TAG: hashlib.sha256(json.dumps(names).encode()).hexdigest()[:16]}


def class_names(store: Store, model_id: str) -> list[str] | None:
    """Return the classes of an exported model; None where the store does not have them.

    A model that was logged before `classes.json` was written has them in its ONNX file.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    for file, read in ((_NAMES, _from_json), (_ONNX, _from_onnx)):
        with TemporaryDirectory() as folder:
            try:
                location = store.client.get_logged_model(model_id).artifact_location
                path = download_artifacts(f"{location}/{file}", dst_path=folder, tracking_uri=store.uri)
            except (MlflowException, OSError):
                continue
            return read(Path(path))
    return None


def _from_json(file: Path) -> list[str]:
    return list(json.loads(file.read_text(encoding="utf-8")))


def _from_onnx(file: Path) -> list[str] | None:
    import onnx

    model = onnx.load(file)
    names = [entry.value for entry in model.metadata_props if entry.key == "class_names"]
    return list(json.loads(names[0])) if names else None


def other_classes(store: Store, champion: Version, challenger: Version) -> str:
    """Return how the challenger's classes differ from the champion's; empty where they do not.

    Classes that are not recorded may be other ones; those of one training are the same. Names are read only where the
    digests in the versions' tags do not tell: the champion's files may be gone.
    """
    if champion.key == challenger.key or (champion.classes and champion.classes == challenger.classes):
        return ""
    before, now = (class_names(store, one.source.removeprefix("models:/")) for one in (champion, challenger))
    if before is None or now is None:
        return f"the classes of {champion if before is None else challenger} are not recorded"
    if before == now:
        return ""
    sides = {"new": [name for name in now if name not in before], "gone": [name for name in before if name not in now]}
    changes = [f"{side}: {_few(names)}" for side, names in sides.items() if names]
    if changes:
        return f"its classes are not the champion's ({'; '.join(changes)})"
    return f"it has the champion's classes in another order ({_few(now)}; before {_few(before)})"


def _few(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(map(repr, names[:_SHOWN])) + (f" and {more} more" if more > 0 else "")
