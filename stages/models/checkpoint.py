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

from stages.compute.pixels import FromPixels
from stages.compute.tokens import FromTokens
from stages.models.build import build
from stages.models.loading import check_fit, load_weights, plain_content, read_bounded
from stages.project.console import Refusal
from stages.project.files import write_bytes

__all__ = ["Checkpoint", "from_pixels", "from_stored", "load_checkpoint", "load_weights", "rebuild", "save_checkpoint"]

_FORMAT = 1
_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
_LARGEST = 4 << 30  # bytes; a checkpoint of this project has at most some hundred million


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
    about = {field.name: getattr(checkpoint, field.name) for field in fields(Checkpoint) if field.name != "state_dict"}
    content = json.loads(json.dumps({"format": _FORMAT, **about}, allow_nan=False))
    content["state_dict"] = {
        name: tensor.detach().cpu().contiguous().clone() for name, tensor in checkpoint.state_dict.items()
    }
    buffer = io.BytesIO()  # saved to a path, the file would carry the path's name
    torch.save(content, buffer)
    write_bytes(path, buffer.getvalue())


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        Refusal: the file is missing, damaged, no checkpoint, or holds code; or a key is missing or of the wrong
            type. The message names the file and the key.
    """
    raw = read_bounded(path, _LARGEST)
    _check_archive(path, raw)
    content = plain_content(path, raw)
    if content.pop("format", None) != _FORMAT:
        raise Refusal(f"{path} is not a checkpoint of this project (format {_FORMAT}); train it again")
    if missing := [field.name for field in fields(Checkpoint) if field.name not in content]:
        raise Refusal(f"{path} lacks {', '.join(missing)}; train it again")
    kinds = get_type_hints(Checkpoint)
    return Checkpoint(**{key: _checked(path, key, kind, content[key]) for key, kind in kinds.items()})


def _checked(path: Path, key: str, kind: Any, value: Any) -> Any:
    try:
        return TypeAdapter(kind, config=_STRICT).validate_python(value)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in (key, *first["loc"]))
        raise Refusal(f"{path}: {where} is not as a checkpoint has it: {first['msg']}") from error


def _check_archive(path: Path, raw: bytes) -> None:
    """Refuse what torch would accept: records with a wrong checksum, and compressed ones, which could be bombs."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            if any(record.compress_type != zipfile.ZIP_STORED for record in archive.infolist()):
                raise Refusal(f"{path} is compressed, which no checkpoint is; make it again")
            broken = archive.testzip()
    # a compression method that zipfile does not know is a kind of RuntimeError
    except (zipfile.BadZipFile, EOFError, ValueError, RuntimeError) as error:
        raise Refusal(f"{path} is damaged or no checkpoint ({error}); make it again") from error
    if broken:
        raise Refusal(f"{path} is damaged ({broken} fails its checksum); make it again")


def rebuild(checkpoint: Checkpoint) -> nn.Module:
    """The network with its weights, in evaluation mode: normalised float inputs to logits.

    It takes features when the checkpoint is of a transfer model's head alone, else images.

    Raises:
        Refusal: the settings build no network, or the weights do not fit it.
    """
    with torch.device("meta"):  # without memory: settings that are a lie could ask for any amount of it
        check_fit(_network(checkpoint), checkpoint.state_dict)
    with torch.random.fork_rng():  # initial weights are drawn, then replaced
        network = _network(checkpoint)
    load_weights(network, checkpoint.state_dict)
    return network.eval()


def from_pixels(checkpoint: Checkpoint) -> FromPixels:
    """The network with its preprocessing in front: uint8 pixels (N, H, W, C) to float32 logits (N, classes).

    Raises:
        Refusal: as `rebuild`; or the checkpoint is of a head alone, which takes features.
    """
    if len(checkpoint.input_shape) != 3:
        raise Refusal(
            f"{checkpoint.name} takes features, not pixels; exports/{checkpoint.name}/checkpoint.pth, "
            f"made by `dvc repro export@{checkpoint.name}`, takes pixels"
        )
    return FromPixels(rebuild(checkpoint), checkpoint.normalize["mean"], checkpoint.normalize["std"]).eval()


def reads_symbols(checkpoint: Checkpoint) -> bool:
    """Whether it is of a text or of sequences of symbols."""
    return checkpoint.architecture == "recurrent" and len(checkpoint.input_shape) < 3


def from_stored(checkpoint: Checkpoint) -> nn.Module:
    """The network with what its stored inputs need in front: of pixels as `from_pixels`, of symbols unsigned (N, T).

    Raises:
        Refusal: as `from_pixels`.
    """
    return FromTokens(rebuild(checkpoint)).eval() if reads_symbols(checkpoint) else from_pixels(checkpoint)


def _network(checkpoint: Checkpoint) -> nn.Module:
    classes = len(checkpoint.class_names)
    try:
        if checkpoint.backbone is None:
            return build(checkpoint.architecture, checkpoint.settings, checkpoint.input_shape, classes)
        return _joined(checkpoint.architecture, checkpoint.settings, checkpoint.backbone, classes)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        shown = f"{type(error).__name__}: {error}"
        raise Refusal(f"the checkpoint's settings build no {checkpoint.architecture} ({shown})") from error


def _joined(architecture: str, settings: dict[str, Any], about: dict[str, Any], classes: int) -> nn.Module:
    from stages.models.backbones import backbone  # only transfer models need it
    from stages.models.transfer import join

    head = build(architecture, settings, [len(about["mean"])], classes)
    return join(backbone(about["library"], about["network"]), about["mean"], about["std"], head)
