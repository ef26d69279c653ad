"""The model card: what a person must know before using an exported model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stages.project.files import Facts

_STATUS = {
    "official": "the official release",
    "variant": "a **variant**: its bytes differ from the official release",
    "stand-in": "a **stand-in** for it, for the real one could not be had",
    "own": "the user's own",
    "drawn": "drawn by the project",
}


def card(
    about: Mapping[str, Any], metrics: Mapping[str, Any], parity: Mapping[str, Any], sizes: Mapping[str, int]
) -> str:
    """The card as Markdown.

    Args:
        about: the checkpoint's entries, without the tensors.
        metrics: the model's metrics.json.
        parity: of `parity`.
        sizes: bytes of each file, by name.
    """
    shape = about["input_shape"]
    backbone = about["backbone"] or about["provenance"].get("backbone", {})
    weights = backbone.get("weights", {})
    return (
        _environment()
        .get_template("card.template.md")
        .render(
            about=about,
            metrics=metrics,
            parity=parity,
            sizes=sizes,
            data=about["provenance"],
            status=_STATUS[about["provenance"]["status"]],
            kind=_kind(about),
            shape=shape,
            reads={3: "images", 1: "sequences", 0: "text"}[len(shape)],
            backbone=backbone,
            backbone_status=_backbone_status(weights, about["architecture"] == "finetune"),
            backbone_licence="" if weights.get("status") == "random" else weights.get("licence", ""),
            backbone_random=weights.get("status") == "random",
        )
    )


class _Environment(Environment):
    """Jinja takes a key that is missing for a name that is not defined; a file that lacks one says so itself."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return obj[attribute] if isinstance(obj, Facts) else super().getattr(obj, attribute)


def _environment() -> Environment:
    # Markdown, not HTML: nothing is escaped but what would break a table
    environment = _Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["cell"] = lambda text: " ".join(str(text).split()).replace("|", "\\|")
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def _kind(about: Mapping[str, Any]) -> str:
    if about["backbone"]:
        return f"a trained head on a frozen {about['backbone']['name']}"
    if about["architecture"] == "finetune":
        return f"a fine-tuned {about['settings']['backbone']['name']}"
    if about["architecture"] == "recurrent":
        return f"a recurrent network ({about['settings']['cell']}, {about['settings']['hidden']} hidden)"
    hidden = about["settings"].get("hidden")
    if about["architecture"] == "mlp":
        return f"fully connected layers ({', '.join(map(str, hidden))} hidden)" if hidden else "logistic regression"
    return "a convolutional network" if about["architecture"] == "cnn" else f"the architecture {about['architecture']}"


def _backbone_status(weights: Mapping[str, Any], trained: bool) -> str:
    if weights.get("status") == "random":
        return "with **random weights**"
    return "pretrained and fine-tuned" if trained else "pretrained and frozen"
