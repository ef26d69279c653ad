"""Reading weights from files that may be damaged or hostile, and loading them into networks that they may not fit."""

import io
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vision_pipeline.core.errors import ArtifactError


def read_limited(path: Path, max_bytes: int) -> bytes:
    """Return a file's content.

    Raises:
        ArtifactError: it cannot be read, or has more than `max_bytes` bytes.
    """
    try:
        if (size := path.stat().st_size) > max_bytes:
            raise ArtifactError(f"{path} has {size} bytes, allowed are {max_bytes}; it is not what it should be")
        return path.read_bytes()
    except OSError as error:
        raise ArtifactError(f"{path} cannot be read: {error.strerror}; `dvc repro` makes it") from error


def load_weights_only(path: Path, raw: bytes) -> dict[str, Any]:
    """Return the dict of tensors and plain values that `torch.save` wrote.

    Args:
        path: of the file, for messages.
        raw: its content.

    Raises:
        ArtifactError: it is damaged, or holds anything else, such as code.
    """
    try:
        content = torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ArtifactError(
            f"{path} holds more than tensors and plain values, and is not loaded: it may run code"
        ) from error
    except Exception as error:  # torch has no error of its own for a damaged file
        raise ArtifactError(f"{path} is damaged ({type(error).__name__}: {error}); make it again") from error
    if not isinstance(content, dict):
        raise ArtifactError(f"{path} holds a {type(content).__name__}, not a checkpoint")
    return content


def load_weights(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Copy weights into `network`, all of them or none: every name, shape and type is checked first.

    `load_state_dict` alone copies the tensors that fit before it raises.

    Raises:
        ArtifactError: tensors do not fit; the message has both shapes, and the network is not changed.
    """
    check_state_dict(network, state_dict)
    network.load_state_dict(dict(state_dict))


def check_state_dict(network: nn.Module, state_dict: Mapping[str, Tensor]) -> None:
    """Compare the names, shapes and types of a network's tensors with those of a state dict.

    Raises:
        ArtifactError: tensors do not fit; the message has both shapes.
    """
    expected = network.state_dict()
    problems = [
        problem for name, tensor in expected.items() if (problem := _describe_mismatch(name, tensor, state_dict))
    ]
    problems += [f"{name}: the model has no such tensor" for name in state_dict if name not in expected]
    if problems:
        remainder = f"; and {len(problems) - 4} more" if len(problems) > 4 else ""
        raise ArtifactError("; ".join(problems[:4]) + remainder)


def _describe_mismatch(name: str, expected: Tensor, state_dict: Mapping[str, Tensor]) -> str | None:
    """Return a message if the state dict lacks a tensor or has another shape or type, else None."""
    if name not in state_dict:
        return f"{name}: missing in the checkpoint"
    if state_dict[name].shape != expected.shape:
        return f"{name}: the checkpoint has {list(state_dict[name].shape)}, the model {list(expected.shape)}"
    if state_dict[name].dtype != expected.dtype:
        return f"{name}: the checkpoint has {state_dict[name].dtype}, the model {expected.dtype}"
    return None
