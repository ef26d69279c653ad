"""The checkpoint: one file from which a model is rebuilt without `params.yaml`.

It holds only tensors and plain values, so that it loads with `weights_only=True` and can run no code. Its bytes depend
on its content alone.
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

from vision_pipeline.core.errors import ArtifactError, ConfigError
from vision_pipeline.core.files import write_bytes
from vision_pipeline.core.logging import logger
from vision_pipeline.models.build import build_model
from vision_pipeline.models.loading import check_state_dict, load_weights, load_weights_only, read_limited
from vision_pipeline.runtime.preprocessing import PixelModel, TokenModel

_FORMAT_VERSION = 1
_STRICT_CONFIG = ConfigDict(strict=True, arbitrary_types_allowed=True)
_MAX_BYTES = 4 << 30  # a checkpoint of this project has at most some hundred million


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and its origin.

    Attributes:
        name: of the model in `params.yaml`.
        architecture, settings: as `build_model` takes them.
        input_shape: of one input as stored: [height, width, channels], [dimensions] of features, [length] of
            sequences, [] of a text.
        class_names: by logit; of a text and of sequences all symbols that can be read, by their numbers.
        normalize: `mean` and `std` of the network's inputs, per channel; of images on the scale 0 to 1.
        backbone: only of a transfer model that takes pixels, whose `state_dict` holds backbone and head: the
            backbone's `name`, `library` and `network`, `mean` and `std` of its features, and the provenance of
            its `weights`.
        state_dict: of the network, on the CPU.
        provenance: of the data and, if there is a backbone, of its weights (see `data/format.py`).
        training: key, seed, device, precision, threads, epochs, params and a digest of the code.
        versions: of the libraries that it was trained with.
        metrics: those that were computed before it was written.
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
    """Write `checkpoint` to `path`; equal contents give equal bytes, whatever the path.

    Everything but the tensors passes through JSON, because pickle's bytes also depend on which equal strings were the
    same object.
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
    """Return the checkpoint that a file holds.

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
    values = {key: _validate_field(path, key, field_type, content[key]) for key, field_type in field_types.items()}
    logger.debug(f"{path} is a checkpoint of {values['name']}, architecture {values['architecture']}")
    return Checkpoint(**values)


def _validate_field(path: Path, key: str, field_type: Any, value: Any) -> Any:
    try:
        return TypeAdapter(field_type, config=_STRICT_CONFIG).validate_python(value)
    except ValidationError as error:
        first_error = error.errors()[0]
        location = ".".join(str(part) for part in (key, *first_error["loc"]))
        raise ArtifactError(f"{path}: {location} is not as a checkpoint has it: {first_error['msg']}") from error


def _check_archive(path: Path, raw: bytes) -> None:
    """Check what torch does not: the checksums, and that no record is compressed, because it could be a zip bomb.

    Raises:
        ArtifactError: a checksum is wrong, a record is compressed, or the file is no archive.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
                raise ArtifactError(f"{path} is compressed, which no checkpoint is; make it again")
            corrupt_record = archive.testzip()
    # zipfile raises a subclass of RuntimeError for an unknown compression method
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        raise ArtifactError(f"{path} is damaged or no checkpoint ({error}); make it again") from error
    if corrupt_record:
        raise ArtifactError(f"{path} is damaged ({corrupt_record} fails its checksum); make it again")


def build_from_checkpoint(checkpoint: Checkpoint) -> nn.Module:
    """Return the network with its weights, in evaluation mode: normalised float inputs to logits.

    If the checkpoint is of a transfer model's head alone, its inputs are features.

    Raises:
        ArtifactError: the settings build no network, or the weights do not fit it.
    """
    with torch.device("meta"):  # allocates no memory: wrong settings could request any amount of it
        check_state_dict(_build_network(checkpoint), checkpoint.state_dict)
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        network = _build_network(checkpoint)
    load_weights(network, checkpoint.state_dict)
    return network.eval()


def build_pixel_model(checkpoint: Checkpoint) -> PixelModel:
    """Return the network with its preprocessing in front: uint8 pixels (N, H, W, C) to float32 logits (N, classes).

    Raises:
        ArtifactError: as `build_from_checkpoint`; or the checkpoint is of a head alone, which takes features.
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
    """Return True if the checkpoint's model reads a text or sequences of symbols."""
    return checkpoint.architecture == "recurrent" and len(checkpoint.input_shape) < 3


def build_with_preprocessing(checkpoint: Checkpoint) -> nn.Module:
    """Return the network with the preprocessing of its stored inputs in front.

    Returns:
        A module that takes uint8 pixels (N, H, W, C), see `build_pixel_model`, or unsigned symbols (N, T).

    Raises:
        ArtifactError: as `build_pixel_model`.
    """
    if is_token_model(checkpoint):
        return TokenModel(build_from_checkpoint(checkpoint)).eval()
    return build_pixel_model(checkpoint)


def _build_network(checkpoint: Checkpoint) -> nn.Module:
    """Return the network with random weights.

    Raises:
        ArtifactError: the settings build no network.
    """
    backbone_info, classes = checkpoint.backbone, len(checkpoint.class_names)
    try:
        if backbone_info is None:
            return build_model(checkpoint.architecture, checkpoint.settings, checkpoint.input_shape, classes)
        from vision_pipeline.models.transfer import join_backbone  # only transfer models depend on it

        mean, std = backbone_info["mean"], backbone_info["std"]
        head = build_model(checkpoint.architecture, checkpoint.settings, [len(mean)], classes)
        return join_backbone(backbone_info, head, feature_mean=mean, feature_std=std)
    except ConfigError as error:
        raise ArtifactError(str(error)) from error
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ArtifactError(f"the checkpoint's settings build no {checkpoint.architecture} ({reason})") from error
