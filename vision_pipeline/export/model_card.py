"""The model card: data, accuracy, files and limits of an exported model, for its users."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from vision_pipeline.core.files import JsonObject

_STATUS_TEXTS = {
    "official": "the official release",
    "variant": "a **variant**: its bytes differ from the official release",
    "stand-in": "a **stand-in** for it, for the real one could not be had",
    "own": "the user's own",
    "drawn": "drawn by the project",
}


def render_model_card(
    metadata: Mapping[str, Any], metrics: Mapping[str, Any], parity: Mapping[str, Any], sizes: Mapping[str, int]
) -> str:
    """Return the card as Markdown.

    Args:
        metadata: fields of the checkpoint but the state dict.
        metrics: `metrics.json` of the model.
        parity: the result of `check_parity`.
        sizes: size in bytes by name of the file.
    """
    shape = metadata["input_shape"]
    backbone = metadata["backbone"] or metadata["provenance"].get("backbone", {})
    weights = backbone.get("weights", {})
    return (
        _make_environment()
        .get_template("card.template.md")
        .render(
            metadata=metadata,
            metrics=metrics,
            parity=parity,
            sizes=sizes,
            data=metadata["provenance"],
            status=_STATUS_TEXTS[metadata["provenance"]["status"]],
            kind=_describe_architecture(metadata),
            shape=shape,
            reads={3: "images", 1: "sequences", 0: "text"}[len(shape)],
            backbone=backbone,
            backbone_status=_describe_backbone(weights, metadata["architecture"] == "finetune"),
            backbone_licence="" if weights.get("status") == "random" else weights.get("licence", ""),
            backbone_random=weights.get("status") == "random",
        )
    )


class _Environment(Environment):
    """An environment where a key that a JSON file lacks raises the file's own error, not one of an undefined name."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute, or the value of a key."""
        return obj[attribute] if isinstance(obj, JsonObject) else super().getattr(obj, attribute)


def _make_environment() -> Environment:
    # the card is Markdown, not HTML: only characters that would break a table are escaped
    environment = _Environment(
        loader=FileSystemLoader(Path(__file__).parent), undefined=StrictUndefined, keep_trailing_newline=True
    )
    environment.filters["cell"] = lambda text: " ".join(str(text).split()).replace("|", "\\|")
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment


def _describe_architecture(metadata: Mapping[str, Any]) -> str:
    if metadata["backbone"]:
        return f"a trained head on a frozen {metadata['backbone']['name']}"
    if metadata["architecture"] == "finetune":
        return f"a fine-tuned {metadata['settings']['backbone']['name']}"
    if metadata["architecture"] == "recurrent":
        return f"a recurrent network ({metadata['settings']['cell']}, {metadata['settings']['hidden']} hidden)"
    hidden = metadata["settings"].get("hidden")
    if metadata["architecture"] == "mlp":
        return f"fully connected layers ({', '.join(map(str, hidden))} hidden)" if hidden else "logistic regression"
    return (
        "a convolutional network"
        if metadata["architecture"] == "cnn"
        else f"the architecture {metadata['architecture']}"
    )


def _describe_backbone(weights: Mapping[str, Any], finetuned: bool) -> str:
    if weights.get("status") == "random":
        return "with **random weights**"
    return "pretrained and fine-tuned" if finetuned else "pretrained and frozen"
