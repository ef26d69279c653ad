"""Export a trained model: a file of each format in exports/MODEL, checked over the whole test set, and a model card.

A stage of dvc.yaml: `dvc repro export@MODEL`. The head of a transfer model is attached to its backbone first.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from torch import nn

from vision_pipeline.config.load import load_params
from vision_pipeline.core.files import atomic_dir, read_json, write_json, write_text
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import DATA, EXPORTS, MODELS, PREPARED, model_report_dir
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.format import open_dataset
from vision_pipeline.export.formats import check_same_tensors, read_onnx, read_pt2, read_safetensors, write_formats
from vision_pipeline.export.mlflow_model import log_served_model
from vision_pipeline.export.model_card import render_model_card
from vision_pipeline.export.parity import check_parity
from vision_pipeline.models.checkpoint import (
    Checkpoint,
    build_from_checkpoint,
    build_with_preprocessing,
    load_checkpoint,
    save_checkpoint,
)
from vision_pipeline.runtime.device import Runtime, setup_runtime
from vision_pipeline.tracking.lifecycle import reopen_run
from vision_pipeline.tracking.records import export_record


def main(name: str) -> None:
    """Write exports/NAME/ and log the card, the parity and a model to serve to the model's MLflow run."""
    device, threads, deterministic, settings, dataset, inputs = load_params(
        "device", "threads", "deterministic", "export", f"models.{name}.dataset", f"models.{name}.inputs"
    )
    runtime = setup_runtime(device, "fp32", threads, has_convolutions=False, deterministic=deterministic)
    data, metrics = open_dataset(PREPARED / dataset), read_json(model_report_dir(name) / "metrics.json")
    checkpoint = replace(load_checkpoint(MODELS / name / "checkpoint.pth"), metrics=metrics)
    if checkpoint.architecture == "transfer":
        checkpoint = _attach_backbone(checkpoint, DATA / inputs, data.info.shape)
    metadata = {field: value for field, value in vars(checkpoint).items() if field != "state_dict"}

    inputs, network = data.inputs("test"), build_with_preprocessing(checkpoint)
    with atomic_dir(EXPORTS / name) as folder:
        save_checkpoint(folder / "checkpoint.pth", checkpoint)
        write_formats(folder, network, checkpoint.state_dict, metadata)
        formats = _format_loaders(checkpoint, folder, runtime)
        parity_report = check_parity(
            network, formats, inputs, data.targets("test"), runtime=runtime, max_logit_gap=settings.max_logit_gap
        )
        write_json(folder / "parity.json", parity_report)
        sizes = {file: (folder / file).stat().st_size for file in formats}
        logger.debug(f"{name}: bytes of each file: {sizes}")
        write_text(folder / "card.md", render_model_card(metadata, metrics, parity_report, sizes))
    gap = max(comparison["max_logit_gap"] for comparison in parity_report["formats"].values())
    logger.info(
        f"{name}: {len(formats)} formats agree on {len(inputs):,} test {data.info.item_name}; "
        f"a logit differs by {gap:.2g} at most"
    )

    with reopen_run(name) as run:
        run.log_record(export_record(EXPORTS / name, settings.model_dump()))
        onnx_file = EXPORTS / name / "model.onnx"
        run.submit(
            "the model to serve",
            lambda client: log_served_model(client, str(run.id), name=name, onnx_file=onnx_file, inputs=inputs),
        )


def _attach_backbone(head: Checkpoint, features: Path, image_shape: list[int]) -> Checkpoint:
    """Return a checkpoint of backbone and head as one network from pixels.

    Args:
        head: checkpoint of the head.
        features: folder of the features that the head was trained on, with the backbone.
        image_shape: [H, W, C] of the images.
    """
    from vision_pipeline.models.transfer import join_backbone  # only transfer models depend on it

    backbone_metadata = read_json(features / "backbone.json")
    network = join_backbone(
        backbone_metadata,
        build_from_checkpoint(head),
        feature_mean=head.normalize["mean"],
        feature_std=head.normalize["std"],
        weights=read_safetensors(features / "backbone.safetensors"),
    )
    return replace(
        head,
        input_shape=image_shape,
        normalize={key: backbone_metadata[key] for key in ("mean", "std")},
        backbone={key: backbone_metadata[key] for key in ("name", "library", "network", "weights")} | head.normalize,
        state_dict=network.state_dict(),
    )


def _format_loaders(checkpoint: Checkpoint, folder: Path, runtime: Runtime) -> dict[str, Callable[[], nn.Module]]:
    """Return functions that load each file as a user would, as a module from stored inputs to logits."""
    pth, safetensors, onnx, pt2 = (
        folder / file for file in ("checkpoint.pth", "model.safetensors", "model.onnx", "model.pt2")
    )

    def load_checked(file: str, reloaded: Checkpoint) -> nn.Module:
        check_same_tensors(file, reloaded.state_dict, checkpoint.state_dict)
        return build_with_preprocessing(reloaded)

    return {
        pth.name: lambda: load_checked(pth.name, load_checkpoint(pth)),
        safetensors.name: lambda: load_checked(
            safetensors.name, replace(checkpoint, state_dict=read_safetensors(safetensors))
        ),
        onnx.name: lambda: read_onnx(onnx, runtime.threads),
        pt2.name: lambda: read_pt2(pt2, runtime.device),
    }


if __name__ == "__main__":
    run_stage(main, __doc__ or "", "a model of params.yaml")
