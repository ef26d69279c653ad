"""The checkpoint: one file from which a model is rebuilt without `params.yaml`.

It holds tensors and plain values only, so it loads with `weights_only=True` and runs no code of its writer.
Its bytes depend on its content alone.
"""

import io
import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import write_bytes
from vision_pipeline.models.build import build_model
from vision_pipeline.models.loading import check_state_dict, load_weights, load_weights_only, read_limited
from vision_pipeline.runtime.preprocessing import PixelModel, TokenModel

_FORMAT_VERSION = 1
_STRICT_CONFIG = ConfigDict(strict=True, arbitrary_types_allowed=True)
_MAX_BYTES = 4 << 30  # bytes; a checkpoint of this project has at most some hundred million


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and where it comes from.

    Attributes:
        name: the model's, in `params.yaml`.
        architecture, settings: what `build` takes.
        input_shape: of one input as stored: [height, width, channels], [dimensions] of features, [length] of
            sequences, [] of a text.
        class_names: by logit; of a text and of sequences all symbols that it reads, by their numbers.
        normalize: `mean` and `std` of the network's inputs, per channel; of images on the scale 0 to 1.
        backbone: of a transfer model that takes pixels, whose `state_dict` holds backbone and head: the
            backbone's `name`, `library` and `network`, `mean` and `std` of its features, and the provenance of
            its `weights`.
        state_dict: the network's, on the CPU.
        provenance: of the data and, where there is one, of the backbone's weights (see `datasets/format.py`).
        training: key, seed, device, precision, threads, epochs, params and a digest of the code.
        versions: of the libraries that it was trained with.
        metrics: known when it was written.
    """

    name: str
    architecture: str
    settings: dict[str, Any]
    input_shape: list[int]
    class_names: list[str]
    normalize: dict[str, list[float]]
    backbone: dict[str, Any] | None
    state_dict: dict[str, Tensor]
    provenance: dict[str, Any]
    training: dict[str, Any]
    versions: dict[str, str]
    metrics: dict[str, Any]


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write `checkpoint` to `path`; the same content gives the same bytes, whatever the path.

    All but the tensors goes through JSON, for pickle's bytes also tell which equal strings were one object.
    """
    metadata = {
        field.name: getattr(checkpoint, field.name) for field in fields(Checkpoint) if field.name != "state_dict"
    }
    content = json.loads(json.dumps({"format": _FORMAT_VERSION, **metadata}, allow_nan=False))
    content["state_dict"] = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.state_dict.items()
    }
    buffer = io.BytesIO()  # saved to a path, the file would carry the path's name
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ArtifactError: the file is missing, damaged, no checkpoint, or holds code; or a key is missing or of the wrong
            type. The message names the file and the key.
    """
    raw = read_limited(path, _MAX_BYTES)
    _check_archive(path, raw)
    content = load_weights_only(path, raw)
    if content.pop("format", None) != _FORMAT_VERSION:
        raise ArtifactError(f"{path} is not a checkpoint of this project (format {_FORMAT_VERSION}); train it again")
    if missing := [field.name for field in fields(Checkpoint) if field.name not in content]:
        raise ArtifactError(f"{path} lacks {', '.join(missing)}; train it again")
    field_types = get_type_hints(Checkpoint)
    return Checkpoint(
        **{key: _validate_field(path, key, field_type, content[key]) for key, field_type in field_types.items()}
    )


def _validate_field(path: Path, key: str, field_type: Any, value: Any) -> Any:
    try:
        return TypeAdapter(field_type, config=_STRICT_CONFIG).validate_python(value)
    except ValidationError as error:
        first_error = error.errors()[0]
        location = ".".join(str(part) for part in (key, *first_error["loc"]))
        raise ArtifactError(f"{path}: {location} is not as a checkpoint has it: {first_error['msg']}") from error


def _check_archive(path: Path, raw: bytes) -> None:
    """Refuse what torch would accept: records with a wrong checksum, and compressed ones, which could be bombs."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
                raise ArtifactError(f"{path} is compressed, which no checkpoint is; make it again")
            corrupt_record = archive.testzip()
    # a compression method that zipfile does not know is a kind of RuntimeError
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"{path} is damaged or no checkpoint ({error}); make it again") from error
    if corrupt_record:
        raise ArtifactError(f"{path} is damaged ({corrupt_record} fails its checksum); make it again")


def build_from_checkpoint(checkpoint: Checkpoint) -> nn.Module:
    """The network with its weights, in evaluation mode: normalised float inputs to logits.

    It takes features when the checkpoint is of a transfer model's head alone, else images.

    Raises:
        ArtifactError: the settings build no network, or the weights do not fit it.
    """
    with torch.device("meta"):  # without memory: settings that are a lie could ask for any amount of it
        check_state_dict(_build_network(checkpoint), checkpoint.state_dict)
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        network = _build_network(checkpoint)
    load_weights(network, checkpoint.state_dict)
    return network.eval()


def build_pixel_model(checkpoint: Checkpoint) -> PixelModel:
    """The network with its preprocessing in front: uint8 pixels (N, H, W, C) to float32 logits (N, classes).

    Raises:
        ArtifactError: as `rebuild`; or the checkpoint is of a head alone, which takes features.
    """
    if len(checkpoint.input_shape) != 3:
        raise ArtifactError(
            f"{checkpoint.name} takes features, not pixels; exports/{checkpoint.name}/checkpoint.pth, "
            f"made by `dvc repro export@{checkpoint.name}`, takes pixels"
        )
    return PixelModel(
        build_from_checkpoint(checkpoint), checkpoint.normalize["mean"], checkpoint.normalize["std"]
    ).eval()


def is_token_model(checkpoint: Checkpoint) -> bool:
    """Whether it is of a text or of sequences of symbols."""
    return checkpoint.architecture == "recurrent" and len(checkpoint.input_shape) < 3


def build_with_preprocessing(checkpoint: Checkpoint) -> nn.Module:
    """The network with what its stored inputs need in front: of pixels as `build_pixel_model`, of symbols unsigned (N, T).

    Raises:
        ArtifactError: as `build_pixel_model`.
    """
    return (
        TokenModel(build_from_checkpoint(checkpoint)).eval()
        if is_token_model(checkpoint)
        else build_pixel_model(checkpoint)
    )


def _build_network(checkpoint: Checkpoint) -> nn.Module:
    classes = len(checkpoint.class_names)
    try:
        if checkpoint.backbone is None:
            return build_model(checkpoint.architecture, checkpoint.settings, checkpoint.input_shape, classes)
        return _build_joined_network(checkpoint.architecture, checkpoint.settings, checkpoint.backbone, classes)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ArtifactError(f"the checkpoint's settings build no {checkpoint.architecture} ({reason})") from error


def _build_joined_network(
    architecture: str, settings: dict[str, Any], backbone_info: dict[str, Any], classes: int
) -> nn.Module:
    from vision_pipeline.models.backbones import create_backbone  # only transfer models need it
    from vision_pipeline.models.transfer import attach_head

    head = build_model(architecture, settings, [len(backbone_info["mean"])], classes)
    return attach_head(
        create_backbone(backbone_info["library"], backbone_info["network"]),
        backbone_info["mean"],
        backbone_info["std"],
        head,
    )
