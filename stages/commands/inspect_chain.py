"""The chain that `vision inspect` prints: each link, and what of it is here and the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stages.datasets.format import digest_of
from stages.models.checkpoint import Checkpoint
from stages.project.console import Refusal
from stages.project.files import read_json, sha256
from stages.project.key import run_key, training_files
from stages.project.paths import DATA, MODELS, RAW, model_report
from stages.tracking.dvc_lock import workspace_lock
from stages.tracking.experiments import commits_with
from stages.tracking.search import runs
from stages.tracking.store import answering, open_if_there

Link = tuple[str, list[str]]  # its title and what is said


def chain(checkpoint: Checkpoint, path: Path) -> Iterator[Link]:
    """The links from the source's bytes to the prediction, then where the training is known."""
    yield "source", _source(checkpoint.provenance)
    yield "data", _data(checkpoint)
    if checkpoint.provenance.get("backbone"):
        yield "backbone", [_backbone(checkpoint.provenance["backbone"])]
    yield "training", _training(checkpoint)
    yield "model", _model(checkpoint, path)
    yield "test", _test(checkpoint)
    yield "prediction", [_prediction(checkpoint)]
    yield "git", _commits(checkpoint.training["key"])
    yield "MLflow", _runs(checkpoint.training["key"])


def _source(provenance: dict[str, Any]) -> list[str]:
    known = [f"{provenance['name']}, {provenance['status']}, from {provenance['source']}"]
    known += [provenance["note"]] if provenance.get("note") else []
    known.append(f"licence: {provenance['licence']}")
    about = RAW / provenance["name"] / "provenance.json"
    here = read_json(about)["digest"] if about.exists() else None
    return [*known, f"SHA-256 {provenance['digest']}: {_compared(provenance['digest'], here, about.parent)}"]


def _compared(wanted: str, here: str | None, place: Path) -> str:
    if here is None:
        return f"{place} is not here"
    return f"{place} has it" if here == wanted else f"{place} has ANOTHER, {here[:16]}…"


def _data(checkpoint: Checkpoint) -> list[str]:
    training = checkpoint.training
    folder, wanted = DATA / training["settings"]["model"]["inputs"], training["data"]
    here = digest_of(folder) if (folder / "dataset.json").exists() else None
    model = training["settings"]["model"]
    known = [f"SHA-256 of the arrays {wanted}: {_compared(wanted, here, folder)}"]
    known += [f"of which {model['fraction']:.2%} to train on"] if model["fraction"] < 1 else []
    known += [f"{training['synthetic_images']:,} synthetic images of {training['synthetic']}"] * (
        training["synthetic_images"] > 0
    )
    return [*known, f"augmentation: {model['augmentation']}"]


def _backbone(backbone: dict[str, Any]) -> str:
    weights = backbone["weights"]
    return f"{backbone['name']}, {weights['status']} weights from {weights['source']}, licence: {weights['licence']}"


def _training(checkpoint: Checkpoint) -> list[str]:
    training = checkpoint.training
    settings, versions = training["settings"], checkpoint.versions
    return [
        f"seed {training['seed']}; epochs: {training['epochs']}, kept: number {training['best_epoch']}, "
        f"with a validation accuracy of {training['val_accuracy']:.2%}",
        f"on {training['device']} ({training['machine']}) in {training['precision']}, {training['threads']} threads; "
        + ", ".join(f"{package} {version}" for package, version in versions.items()),
        f"code {training['code'][:16]}…, SHA-256 over the sources of all modules in use",
        f"key {training['key']}, over all of this: {_key_here(settings, training['key'], training['code'])}",
    ]


def _key_here(settings: dict[str, Any], key: str, code: str) -> str:
    try:
        files = training_files(settings["model"])
        again = run_key(settings, files, code)
    except FileNotFoundError as error:
        return f"cannot be made again, for {error.filename} is not here"
    return "made again from the files here, it is the same" if again == key else "the files here give ANOTHER"


def _model(checkpoint: Checkpoint, path: Path) -> list[str]:
    known = [
        f"{checkpoint.architecture}, {checkpoint.training['parameters']:,} parameters",
        f"SHA-256 of {path} {sha256(path)}",
    ]
    folder = MODELS / checkpoint.name
    md5 = workspace_lock().hashes(f"train@{checkpoint.name}", "outs").get(folder.as_posix())
    return [*known, f"{folder} in dvc.lock: {md5}"] if md5 else known


def _test(checkpoint: Checkpoint) -> list[str]:
    """Of the export's own figures, else of the reports here, where they are of this training."""
    reports = model_report(checkpoint.name)
    known = checkpoint.metrics
    if not known and _of_this(reports / "train.json", checkpoint) and (reports / "metrics.json").exists():
        known = read_json(reports / "metrics.json")
    if not known:
        return [f"not tested here: `dvc repro evaluate@{checkpoint.name}`"]
    low, high = known["accuracy_low"], known["accuracy_high"]
    return [
        f"accuracy {known['accuracy']:.2%} ({low:.2%} to {high:.2%}), {known['correct']:,} of {known['images']:,} right"
    ]


def _of_this(report: Path, checkpoint: Checkpoint) -> bool:
    return report.exists() and read_json(report)["key"] == checkpoint.training["key"]


def _prediction(checkpoint: Checkpoint) -> str:
    classes = len(checkpoint.class_names)
    if len(checkpoint.input_shape) != 3:
        return f"{checkpoint.architecture} → {classes} logits → softmax"
    size = " × ".join(map(str, checkpoint.input_shape))
    mean, std = (", ".join(f"{value:.4f}" for value in checkpoint.normalize[key]) for key in ("mean", "std"))
    return f"uint8 {size} → / 255 → − ({mean}) → / ({std}) → {checkpoint.architecture} → {classes} logits → softmax"


def _commits(key: str) -> list[str]:
    try:
        return commits_with(key) or ["no commit, branch or experiment here knows this training"]
    except Refusal as refusal:
        return [f"not known: {refusal}"]


def _runs(key: str) -> list[str]:
    found = []
    if store := open_if_there():
        with answering(store, "the model's runs were not looked for"):
            found = runs(store, f"tags.`pipeline.key` = '{key}'")
    lines = [f"run {one.info.run_id}, {one.info.status}, commit {_commit(one.data.tags)}" for one in found]
    return lines or ["no run here; `vision sync` makes one"]


def _commit(tags: dict[str, str]) -> str:
    return tags.get("git.commit", "unknown")[:12] + (" and changes" if tags.get("git.dirty") == "true" else "")
