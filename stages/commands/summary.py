"""`vision summary`: the layers of a model, their shapes, parameters and cost, before or after it is trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stages.params import load
from stages.params.data import Dataset, Prepare
from stages.params.fields import did_you_mean
from stages.project.console import Refusal, say
from stages.project.files import read_json
from stages.project.paths import PREPARED, RAW

if TYPE_CHECKING:
    from torch import nn


def summary(
    model: Annotated[str, typer.Argument(help="A model of params.yaml, or a checkpoint.pth.")],
    batch: Annotated[int | None, typer.Option(min=1, help="Samples in a batch, m in the shapes.", metavar="M")] = None,
) -> None:
    """Show a model's layers, their shapes, weights and biases and cost; nothing need be trained or fetched for it."""
    from stages.models.anatomy import layers_of, one_input
    from stages.models.build import count_parameters
    from stages.models.layer_table import text

    network, shape = _from_checkpoint(Path(model)) if Path(model).is_file() else _from_params(model)
    say(text(model, layers_of(network, one_input(network, shape)), count_parameters(network)[1], batch))


def _from_checkpoint(path: Path) -> "tuple[nn.Module, list[int]]":
    """The network and the shape of one input as stored."""
    from stages.models.checkpoint import load_checkpoint, rebuild

    checkpoint = load_checkpoint(path)
    return rebuild(checkpoint), checkpoint.input_shape


def _from_params(name: str) -> "tuple[nn.Module, list[int]]":
    """As `_from_checkpoint`, with random weights; a transfer model with its backbone in front."""
    from stages.models.backbones import backbone, feature_size
    from stages.models.build import build, settings_of
    from stages.models.transfer import join

    models, datasets, backbones, features = load("models", "datasets", "backbones", "features")
    if name not in models:
        raise Refusal(f"{name} is neither a checkpoint nor a model of params.yaml; {did_you_mean(name, list(models))}")
    model = models[name]
    shape, classes = _data(model.dataset, datasets[model.dataset])
    settings = settings_of(model)
    if model.architecture == "transfer":
        about = backbones[features[model.inputs.removeprefix("features/")].backbone]
        body = backbone(about.library, about.network)
        size = feature_size(body, shape[0], shape[1])
        return join(body, [0.0] * size, [1.0] * size, build("transfer", settings, [size], classes)), shape
    if model.architecture == "finetune":
        settings["backbone"] = backbones[model.weights].model_dump()
    return build(model.architecture, settings, shape, classes), shape


def _data(name: str, dataset: Dataset) -> tuple[list[int], int]:
    """The shape of one input and the number of classes: of the prepared data, else as it will be prepared.

    Raises:
        Refusal: these follow from data that is not at hand yet; the message names the stage that makes it.
    """
    if (about := PREPARED / name / "dataset.json").exists():
        described = read_json(about)
        return described["shape"], len(described["class_names"])
    if not isinstance(dataset.prepare, Prepare):
        raise Refusal(f"how many symbols {name} has is known once it is prepared: `dvc repro prepare@{name}`")
    shape = [dataset.prepare.size, dataset.prepare.size, dataset.prepare.channels]
    if dataset.kind == "catalog":
        from stages.sources.entries import read_entry

        return shape, len(read_entry(Path(dataset.path)).class_names)
    if not (about := RAW / name / "provenance.json").exists():
        raise Refusal(f"how many classes {dataset.path} has is known once it is packed: `dvc repro download@{name}`")
    return shape, len(read_json(about)["class_names"])
