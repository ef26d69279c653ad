"""Evaluate a model on its test set: metrics, tables and plots in reports/models/MODEL.

A stage of dvc.yaml: `dvc repro evaluate@MODEL`. No stage before it reads the test set.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json, write_json
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import DATA, MODELS, PREPARED, delete_resume_state, model_report_dir, seed_dirs
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.format import PreparedDataset, check_test_rows_match, open_dataset
from vision_pipeline.evaluation.metrics import Predictions, compute_test_metrics, make_predictions, summary_metrics
from vision_pipeline.evaluation.model_report import make_result, write_metrics, write_plots, write_tables
from vision_pipeline.evaluation.tables import data_summary, read_csv_str, read_split_rows

if TYPE_CHECKING:
    from vision_pipeline.models.checkpoint import Checkpoint
    from vision_pipeline.runtime.device import Runtime


def main(name: str) -> None:
    """Write reports/models/NAME/: metrics.json, data.json, the tables and the plots; log them to MLflow."""
    device, threads, deterministic, settings, dataset, inputs = load_params(
        "device", "threads", "deterministic", "evaluate", f"models.{name}.dataset", f"models.{name}.inputs"
    )
    from vision_pipeline.models.model_summary import write_summary
    from vision_pipeline.runtime.device import setup_runtime
    from vision_pipeline.tracking.lifecycle import log_evaluation

    runtime = setup_runtime(device, "fp32", threads, has_convolutions=False, deterministic=deterministic)
    model_data, source_data = open_dataset(DATA / inputs), open_dataset(PREPARED / dataset)
    check_test_rows_match(model_data, source_data)
    tta_modes = [settings.tta[dataset]] if model_data.info.kind == "images" and dataset in settings.tta else []
    checkpoint, (predictions, *tta_predictions) = _evaluate_checkpoint(MODELS / name, model_data, runtime, tta_modes)
    other_seed_dirs = seed_dirs(name)
    logger.debug(f"{name}: {len(other_seed_dirs)} more seeds to evaluate, test-time augmentation {tta_modes or 'off'}")
    by_seed = [_evaluate_seed(folder, model_data, runtime, settings.bins) for folder in other_seed_dirs]
    kind, item_name, folder = source_data.info.kind, source_data.info.item_name, model_report_dir(name)
    rows = read_split_rows(source_data.folder / "test/rows.csv", 1 if kind == "text" else len(predictions.targets))
    result = make_result(
        predictions, class_names=checkpoint.class_names, inputs=source_data.inputs("test"), kind=kind, rows=rows
    )

    train_report = read_json(folder / "train.json")
    metrics = compute_test_metrics(predictions, tta_predictions, kind, settings.bins)
    metadata = {"dataset": dataset, "provenance": model_data.info.provenance["status"], "device": str(runtime.device)}
    write_metrics(folder, metrics, train_report=train_report, by_seed=by_seed, metadata=metadata)
    rejects = read_csv_str(source_data.folder / "rejects.csv", ["file", "reason"])
    data_json = data_summary(asdict(source_data.info), item_name, rejects, checkpoint.provenance.get("backbone"))
    write_json(folder / "data.json", data_json)
    write_tables(folder, result, settings.bins)
    write_plots(
        folder,
        result,
        bins=settings.bins,
        max_mistakes=settings.worst,
        best_epoch=train_report["best_epoch"],
        other_seed_dirs=other_seed_dirs,
    )
    write_summary(folder, checkpoint, model_data.folder, source_data.info.shape)
    low, high = metrics["accuracy_low"], metrics["accuracy_high"]
    logger.info(
        f"{name}: {metrics['accuracy']:.2%} of {metrics['images']:,} test {item_name} right ({low:.2%} to {high:.2%})"
    )
    log_evaluation(name, settings.model_dump(), by_seed)


def _evaluate_checkpoint(
    folder: Path, model_data: PreparedDataset, runtime: "Runtime", tta_modes: Sequence[str] = ()
) -> tuple["Checkpoint", list[Predictions]]:
    """Load a checkpoint and predict the test set.

    Returns:
        The checkpoint; its plain predictions, then those averaged over the views of each of `tta_modes`.

    Raises:
        ArtifactError: the checkpoint is missing or damaged, or was trained on other data.
    """
    from vision_pipeline.models.checkpoint import load_checkpoint
    from vision_pipeline.models.scoring import predict_checkpoint

    checkpoint = load_checkpoint(folder / "checkpoint.pth")
    if (checkpoint.input_shape, checkpoint.class_names) != (model_data.info.shape, model_data.info.class_names):
        name = checkpoint.name
        raise ArtifactError(
            f"{MODELS / name} was trained on other data than {model_data.folder}; `dvc repro train@{name}`"
        )
    # DVC has recorded the training, so its state for resuming is not needed any more
    delete_resume_state(checkpoint.training["key"])
    inputs, are_features = model_data.inputs("test"), model_data.info.kind == "features"
    logits = (
        predict_checkpoint(checkpoint, inputs, are_features=are_features, runtime=runtime, tta=tta_mode)
        for tta_mode in ("", *tta_modes)
    )
    return checkpoint, [make_predictions(mode_logits, model_data.targets("test")) for mode_logits in logits]


def _evaluate_seed(folder: Path, model_data: PreparedDataset, runtime: "Runtime", bins: int) -> dict[str, Any]:
    """Return `train.json` and test metrics of a training with another seed, in one dictionary."""
    _, (predictions,) = _evaluate_checkpoint(folder, model_data, runtime)
    return dict(read_json(folder / "train.json")) | summary_metrics(predictions, bins)


if __name__ == "__main__":
    run_stage(main, __doc__ or "", "model of params.yaml")
