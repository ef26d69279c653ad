"""Weights from files that may be damaged or hostile, into networks that they may not fit."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from stages.project.console import Refusal


def read_bounded(path: Path, largest: int) -> bytes:
    """A file's content.

    Raises:
        Refusal: it cannot be read, or has more than `largest` bytes.
    """
    try:
        if (size := path.stat().st_size) > largest:
            raise Refusal(f"{path} has {size} bytes, allowed are {largest}; it is not what it should be")
        return path.read_bytes()
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}; `dvc repro` makes it") from error


def plain_content(path: Path, raw: bytes) -> dict[str, Any]:
    """What `torch.save` wrote, when it is a dict of tensors and plain values; `path` is for messages.

    Raises:
        Refusal: it is damaged, holds anything else, or code.
    """
    try:
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise Refusal(f"{path} holds more than tensors and plain values, and is not loaded: it may run code") from error
    except Exception as error:  # torch has no error of its own for a damaged file
        raise Refusal(f"{path} is damaged ({type(error).__name__}: {error}); make it again") from error
    if not isinstance(content, dict):
        raise Refusal(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def load_weights(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy weights into `network`, all of them or none: every name, shape and type is checked first.

    `load_state_dict` alone copies what fits before it raises.

    Raises:
        Refusal: the tensors that do not fit, with both shapes; the network is left untouched.
    """
    check_fit(network, state_dict)
    network.load_state_dict(dict(state_dict))


def check_fit(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Compare all names, shapes and types, without copying anything.

    Raises:
        Refusal: as `load_weights`.
    """
    wanted = network.state_dict()
    wrong = [problem for name, tensor in wanted.items() if (problem := _problem(name, tensor, state_dict))]
    wrong += [f"{name}: the model has no such tensor" for name in state_dict if name not in wanted]
    if wrong:
        more = f"; and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise Refusal("; ".join(wrong[:4]) + more)


def _problem(name: str, wanted: Tensor, given: Mapping[str, Tensor]) -> str | None:
    if name not in given:
        return f"{name}: missing in the checkpoint"
    if given[name].shape != wanted.shape:
        return f"{name}: the checkpoint has {list(given[name].shape)}, the model {list(wanted.shape)}"
    if given[name].dtype != wanted.dtype:
        return f"{name}: the checkpoint has {given[name].dtype}, the model {wanted.dtype}"
    return None
