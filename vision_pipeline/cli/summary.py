"""`vision summary`: the layers of a model, their shapes, parameters and cost, before or after it is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vision_pipeline.config.data import AnyDatasetConfig, PrepareImagesConfig
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import DataError, UserError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.paths import PREPARED, RAW

if TYPE_CHECKING:
    from torch import nn


def summary(
    model: Annotated[str, typer.Argument(help="A model of params.yaml, or a checkpoint.pth.")],
    batch: Annotated[int | None, typer.Option(min=1, help="Samples in a batch, m in the shapes.", metavar="M")] = None,
) -> None:
    """Show a model's layers, their shapes, weights and biases and cost; nothing need be trained or fetched for it."""
    from vision_pipeline.models.build import count_parameters
    from vision_pipeline.models.model_summary import example_input, format_summary, summarize_layers

    network, shape = _load_from_checkpoint(Path(model)) if Path(model).is_file() else _build_from_params(model)
    layers = summarize_layers(network, example_input(network, shape))
    typer.echo(format_summary(model, layers, count_parameters(network)[1], batch))


def _load_from_checkpoint(path: Path) -> "tuple[nn.Module, list[int]]":
    """Return a checkpoint's network and the shape of one stored input."""
    from vision_pipeline.models.checkpoint import build_from_checkpoint, load_checkpoint

    checkpoint = load_checkpoint(path)
    return build_from_checkpoint(checkpoint), checkpoint.input_shape


def _build_from_params(name: str) -> "tuple[nn.Module, list[int]]":
    """Return a model of params.yaml with random weights and the shape of one stored input.

    A transfer model has its backbone in front.
    """
    from vision_pipeline.models.backbones import create_backbone, infer_feature_size
    from vision_pipeline.models.build import architecture_config, build_model
    from vision_pipeline.models.transfer import attach_head

    models, datasets, backbones, features = load_params("models", "datasets", "backbones", "features")
    if name not in models:
        hint = did_you_mean(name, list(models))
        raise UserError(f"{name} is neither a checkpoint nor a model of params.yaml; {hint}")
    model = models[name]
    shape, num_classes = _get_data_shape(model.dataset, datasets[model.dataset])
    settings = architecture_config(model)
    if model.architecture == "transfer":
        backbone_config = backbones[features[model.inputs.removeprefix("features/")].backbone]
        backbone_network = create_backbone(backbone_config.library, backbone_config.network)
        num_features = infer_feature_size(backbone_network, shape[0], shape[1])
        return attach_head(backbone_network, build_model("transfer", settings, [num_features], num_classes)), shape
    if model.architecture == "finetune":
        settings["backbone"] = backbones[model.weights].model_dump()
    return build_model(model.architecture, settings, shape, num_classes), shape


def _get_data_shape(name: str, dataset: AnyDatasetConfig) -> tuple[list[int], int]:
    """Return the shape of one input and the number of classes, of the prepared data or of data to be prepared.

    Raises:
        DataError: they depend on data that is not there yet; the message names the stage that makes it.
    """
    if (metadata_path := PREPARED / name / "dataset.json").exists():
        metadata = read_json(metadata_path)
        return metadata["shape"], len(metadata["class_names"])
    if not isinstance(dataset.prepare, PrepareImagesConfig):
        raise DataError(f"how many symbols {name} has is known once it is prepared: `dvc repro prepare@{name}`")
    shape = [dataset.prepare.size, dataset.prepare.size, dataset.prepare.channels]
    if dataset.kind == "catalog":
        from vision_pipeline.sources.catalog import read_entry

        return shape, len(read_entry(Path(dataset.path)).class_names)
    if not (metadata_path := RAW / name / "provenance.json").exists():
        raise DataError(f"how many classes {dataset.path} has is known once it is packed: `dvc repro download@{name}`")
    return shape, len(read_json(metadata_path)["class_names"])
