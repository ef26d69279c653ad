"""A text's model that is small enough to be made anew in each test."""

from dataclasses import replace
from typing import Any

import torch
from tiny_model import tiny_checkpoint

from vision_pipeline.models.build import build_model
from vision_pipeline.models.checkpoint import Checkpoint

VOCABULARY = ["\n", " ", "e", "h", "l", "o"]


def text_checkpoint(cell: str = "elman", shape: list[int] | None = None, names: list[str] | None = None) -> Checkpoint:
    """With random weights; of a text unless `shape` is [length] of sequences."""
    names, settings = names or VOCABULARY, _settings(cell)
    torch.manual_seed(0)
    network = build_model("recurrent", settings, shape or [], len(names))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(3)  # so that what came before makes a difference
    return replace(
        tiny_checkpoint(),
        architecture="recurrent",
        settings=settings,
        input_shape=shape or [],
        class_names=names,
        normalize={"mean": [], "std": []},
        state_dict=network.state_dict(),
    )


def _settings(cell: str) -> dict[str, Any]:
    return {"cell": cell, "hidden": 7, "layers": 2, "forget_bias": 1.0, "input_bias": 0.0, "dropout": 0.5, "steps": 4}
