"""`vision inspect`: the provenance of a model as a chain from the source's bytes to its prediction.

Each link is compared with what is here: data, reports, commits and runs.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from vision_pipeline.config.models import AnyModelConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import read_json, sha256_file
from vision_pipeline.core.fingerprint import compute_training_fingerprint, list_fingerprint_inputs
from vision_pipeline.core.paths import DATA, MODELS, RAW, model_report_dir
from vision_pipeline.tracking.search import search_runs
from vision_pipeline.tracking.store import open_existing, store_errors
from vision_pipeline.vcs.dvc_lock import read_workspace_lock
from vision_pipeline.vcs.experiments import find_commits

if TYPE_CHECKING:
    from vision_pipeline.models.checkpoint import Checkpoint

Link = tuple[str, list[str]]  # title and lines


def inspect(
    of: Annotated[str, typer.Argument(help="A checkpoint.pth, a trained model, or an MLflow run's id.")],
) -> None:
    """Print the chain from pixels to prediction, and check it: source, data, training, test, commits and runs."""
    from vision_pipeline.models.checkpoint import load_checkpoint

    path = _find_checkpoint(of)
    if path is None:
        _print_run(of)
        return
    checkpoint = load_checkpoint(path)
    typer.echo(f"{path}")
    for title, lines in provenance_chain(checkpoint, path):
        for number, line in enumerate(lines):
            typer.echo(f"{title if number == 0 else '':12} {line}")


def _find_checkpoint(target: str) -> Path | None:
    """Return the checkpoint of a path, a model's name or a run's id; None where the run's checkpoint is not here.

    Raises:
        UserError: there is no such checkpoint, model or run.
    """
    for path in (Path(target), MODELS / target / "checkpoint.pth"):
        if path.is_file():
            return path
    run = _find_run(target)
    if run is None:
        raise UserError(f"{target} is neither a checkpoint nor a model in {MODELS}/ nor the id of a run in MLflow")
    return find_checkpoint_by_key(run.data.tags.get("pipeline.key", ""))


def find_checkpoint_by_key(key: str) -> Path | None:
    """Return the checkpoint of the training `key`, None where it is not here."""
    for training_file in sorted(MODELS.rglob("training.json")):
        if read_json(training_file)["key"] == key:
            return training_file.with_name("checkpoint.pth")
    return None


def _find_run(target: str) -> Any:
    """Return the run whose id begins with `target`; None where there is none or no store.

    Raises:
        UserError: several runs match.
    """
    if (store := open_existing()) is None:
        return None
    with store_errors(store, f"{target} was not looked for"):
        matches = [run for run in search_runs(store, "") if run.info.run_id.startswith(target)]
    if len(matches) > 1:
        raise UserError(f"{target} begins the ids of {len(matches)} runs; name more of it")
    return matches[0] if matches else None


def _print_run(target: str) -> None:
    """Print what a run has of a model that is not here, and how to bring that back."""
    run = _find_run(target)
    tags, dataset_inputs = run.data.tags, run.inputs.dataset_inputs
    experiments = [name.removeprefix("dvc.exp.") for name in tags if name.startswith("dvc.exp.")]
    typer.echo(f"run {run.info.run_id}, {run.info.run_name}, {run.info.status}; its model is not in {MODELS}/")
    for title, line in {
        "key": tags.get("pipeline.key", "none"),
        "data": ", ".join(
            f"{dataset_input.dataset.name} {dataset_input.dataset.digest}" for dataset_input in dataset_inputs
        )
        or "unknown",
        "code": f"commit {tags.get('git.commit', 'unknown')}"
        + (", and what lineage/uncommitted.diff of the run says" if tags.get("git.dirty") == "true" else ""),
        "experiments": ", ".join(experiments) or "none",
    }.items():
        typer.echo(f"{title:12} {line}")
    if experiments:
        typer.echo(f"`dvc exp apply {experiments[0]}` brings the model back")
    else:
        typer.echo(
            f"`git checkout {tags.get('git.commit', 'COMMIT')}` and `dvc checkout`, or `dvc repro`, bring it back"
        )


def provenance_chain(checkpoint: "Checkpoint", path: Path) -> Iterator[Link]:
    """Yield the links from the source's bytes to the prediction, then the commits and runs of the training.

    Args:
        checkpoint: the model.
        path: its file.
    """
    yield "source", _describe_source(checkpoint.provenance)
    yield "data", _describe_data(checkpoint)
    if checkpoint.provenance.get("backbone"):
        yield "backbone", [_describe_backbone(checkpoint.provenance["backbone"])]
    yield "training", _describe_training(checkpoint)
    yield "model", _describe_model(checkpoint, path)
    yield "test", _describe_test(checkpoint)
    yield "prediction", [_describe_prediction(checkpoint)]
    yield "git", _describe_commits(checkpoint.training["key"])
    yield "MLflow", _describe_runs(checkpoint.training["key"])


def _describe_source(provenance: dict[str, Any]) -> list[str]:
    lines = [f"{provenance['name']}, {provenance['status']}, from {provenance['source']}"]
    lines += [provenance["note"]] if provenance.get("note") else []
    lines.append(f"licence: {provenance['licence']}")
    provenance_file = RAW / provenance["name"] / "provenance.json"
    local_digest = read_json(provenance_file)["digest"] if provenance_file.exists() else None
    digest = provenance["digest"]
    return [*lines, f"SHA-256 {digest}: {_compare_digest(digest, local_digest, provenance_file.parent)}"]


def _compare_digest(expected: str, local_digest: str | None, folder: Path) -> str:
    if local_digest is None:
        return f"{folder} is not here"
    return f"{folder} has it" if local_digest == expected else f"{folder} has ANOTHER, {local_digest[:16]}…"


def _describe_data(checkpoint: "Checkpoint") -> list[str]:
    from vision_pipeline.data.format import dataset_digest

    training = checkpoint.training
    folder, expected = DATA / training["settings"]["model"]["inputs"], training["data"]
    local_digest = dataset_digest(folder) if (folder / "dataset.json").exists() else None
    model = training["settings"]["model"]
    lines = [f"SHA-256 of the arrays {expected}: {_compare_digest(expected, local_digest, folder)}"]
    lines += [f"of which {model['fraction']:.2%} to train on"] if model["fraction"] < 1 else []
    lines += [f"{training['synthetic_images']:,} synthetic images of {training['synthetic']}"] * (
        training["synthetic_images"] > 0
    )
    return [*lines, f"augmentation: {model['augmentation']}"]


def _describe_backbone(backbone: dict[str, Any]) -> str:
    weights = backbone["weights"]
    return f"{backbone['name']}, {weights['status']} weights from {weights['source']}, licence: {weights['licence']}"


def _describe_training(checkpoint: "Checkpoint") -> list[str]:
    training = checkpoint.training
    settings, versions = training["settings"], checkpoint.versions
    return [
        f"seed {training['seed']}; epochs: {training['epochs']}, kept: number {training['best_epoch']}, "
        f"with a validation accuracy of {training['val_accuracy']:.2%}",
        f"on {training['device']} ({training['machine']}) in {training['precision']}, {training['threads']} threads; "
        + ", ".join(f"{package} {version}" for package, version in versions.items()),
        f"code {training['code'][:16]}…, SHA-256 over the sources of all modules in use",
        f"key {training['key']}, over all of this: {_check_key(settings, training['key'], training['code'])}",
    ]


def _check_key(settings: dict[str, Any], key: str, code: str) -> str:
    """Compare the key with that of the files here; keys of older versions cover the off values of settings, too."""
    model = settings["model"]
    try:
        files = list_fingerprint_inputs(model)
        local_keys = [
            compute_training_fingerprint(settings | {"model": covered}, files, code)
            for covered in (_drop_off_values(model), model)
        ]
    except FileNotFoundError as error:
        return f"cannot be made again, for {error.filename} is not here"
    return "made again from the files here, it is the same" if key in local_keys else "the files here give ANOTHER"


def _drop_off_values(model: dict[str, Any]) -> dict[str, Any]:
    """Return the settings of a model without those that are off; unchanged where another version wrote them."""
    try:
        config = TypeAdapter(AnyModelConfig).validate_python(model)
    except ValidationError:
        return model
    settings: dict[str, Any] = config.model_dump(exclude={"seeds"}, exclude_defaults=True)
    return settings


def _describe_model(checkpoint: "Checkpoint", path: Path) -> list[str]:
    lines = [
        f"{checkpoint.architecture}, {checkpoint.training['parameters']:,} parameters",
        f"SHA-256 of {path} {sha256_file(path)}",
    ]
    folder = MODELS / checkpoint.name
    md5 = read_workspace_lock().hashes(f"train@{checkpoint.name}", "outs").get(folder.as_posix())
    return [*lines, f"{folder} in dvc.lock: {md5}"] if md5 else lines


def _describe_test(checkpoint: "Checkpoint") -> list[str]:
    """Describe the test by the checkpoint's own metrics, else by the reports here, where they are of this training."""
    reports = model_report_dir(checkpoint.name)
    metrics = checkpoint.metrics
    if not metrics and _is_same_training(reports / "train.json", checkpoint) and (reports / "metrics.json").exists():
        metrics = read_json(reports / "metrics.json")
    if not metrics:
        return [f"not tested here: `dvc repro evaluate@{checkpoint.name}`"]
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    counts = f"{metrics['correct']:,} of {metrics['images']:,} right"
    return [f"accuracy {metrics['accuracy']:.2%} ({low:.2%} to {high:.2%}), {counts}"]


def _is_same_training(report: Path, checkpoint: "Checkpoint") -> bool:
    return report.exists() and read_json(report)["key"] == checkpoint.training["key"]


def _describe_prediction(checkpoint: "Checkpoint") -> str:
    classes = len(checkpoint.class_names)
    if len(checkpoint.input_shape) != 3:
        return f"{checkpoint.architecture} → {classes} logits → softmax"
    size = " × ".join(map(str, checkpoint.input_shape))
    mean, std = (", ".join(f"{value:.4f}" for value in checkpoint.normalize[key]) for key in ("mean", "std"))
    return f"uint8 {size} → / 255 → − ({mean}) → / ({std}) → {checkpoint.architecture} → {classes} logits → softmax"


def _describe_commits(key: str) -> list[str]:
    try:
        return find_commits(key) or ["no commit, branch or experiment here knows this training"]
    except UserError as error:
        return [f"not known: {error}"]


def _describe_runs(key: str) -> list[str]:
    runs = []
    if store := open_existing():
        with store_errors(store, "the model's runs were not looked for"):
            runs = search_runs(store, f"tags.`pipeline.key` = '{key}'")
    lines = [f"run {run.info.run_id}, {run.info.status}, commit {_format_commit(run.data.tags)}" for run in runs]
    return lines or ["no run here; `vision sync` makes one"]


def _format_commit(tags: dict[str, str]) -> str:
    return tags.get("git.commit", "unknown")[:12] + (" and changes" if tags.get("git.dirty") == "true" else "")
