"""The model card: data, metrics, files, and what it warns of."""

from dataclasses import replace
from typing import Any

import pytest
from tiny_model import PROVENANCE, tiny_checkpoint

from vision_pipeline.export.model_card import render_model_card

METRICS: dict[str, Any] = {"accuracy": 0.9123, "accuracy_low": 0.9, "accuracy_high": 0.92, "images": 1000}
METRICS |= {"loss": 0.25, "ece": 0.0123, "macro_f1": 0.9, "parameters": 12345}
ONNX_PARITY = {"accuracy": 0.91, "max_logit_gap": 1.5e-6, "other_predictions": 0}
PARITY: dict[str, Any] = {"images": 1000, "device": "cpu", "max_logit_gap_allowed": 0.001}
PARITY |= {"reference": {"accuracy": 0.9111}, "formats": {"model.onnx": ONNX_PARITY}}


def render(**changes: Any) -> str:
    metadata = vars(replace(tiny_checkpoint("cnn", 3), **changes))
    return render_model_card(metadata, METRICS, PARITY, {"model.onnx": 4_700_000})


def test_synthetic_images_are_named_with_their_generator() -> None:
    line = "| synthetic | 1,000 images made by the generator mnist-gan joined the training images |"
    assert line in render(provenance=PROVENANCE | {"synthetic": "mnist-gan", "synthetic_images": 1000}).splitlines()
    assert "synthetic" not in render(provenance=PROVENANCE | {"synthetic": "none", "synthetic_images": 0})


def test_it_states_data_figures_and_formats() -> None:
    text = render()
    for line in (
        "# small",
        "An image classifier: a convolutional network, 12,345 parameters, trained on tiny.",
        "Give it images of 8 x 8 pixels, RGB, as unsigned bytes; it gives one score (logit)",
        "| data set | tiny, a **stand-in** for it, for the real one could not be had |",
        r"| licence | none \| free |",
        "| evaluation | **91.23 %** (95 % interval 90.00 to 92.00 %) |",
        "| these files' reference: the model in PyTorch, fp32, from pixels | 91.11 % |",
        "| `model.onnx` | 4.7 | 91.00 % | 1.5e-06 | 0 |",
        '["dark", "light"]',
        '{"mean": [0.5, 0.5, 0.5], "std": [0.2, 0.2, 0.2]}',
    ):
        assert line in text.splitlines()
    assert "\n\n\n" not in text


@pytest.mark.parametrize("status", ["official", "variant", "own"])
def test_only_a_stand_in_is_said_to_say_nothing(status: str) -> None:
    remark = "no figure on this card says anything about the real tiny"
    assert remark in render()
    assert remark not in render(provenance={**PROVENANCE, "status": status})


def test_random_backbone_weights_are_said() -> None:
    weights: dict[str, Any] = {"name": "densenet121", "status": "random", "source": "random", "licence": "none"}
    backbone: dict[str, Any] = {"name": "densenet121", "mean": [0.0], "std": [1.0], "weights": weights}
    assert "| backbone | densenet121, with **random weights** |" in render(backbone=backbone)
    pretrained = {**backbone, "weights": {**weights, "status": "pretrained", "licence": "BSD-3"}}
    assert "| backbone | densenet121, pretrained and frozen, licence BSD-3 |" in render(backbone=pretrained)
    assert "a trained head on a frozen densenet121" in render(backbone=backbone)


def test_stored_views_are_said_with_their_policy_and_whose_looks_they_have() -> None:
    views: dict[str, Any] = {"policy": "looks", "views": 2, "style": None}
    row = "| trained on | 2 stored view(s) of each image, policy looks"
    assert f"{row} |" in render(provenance={**PROVENANCE, "augmentation": views})
    styled = {**views, "style": {"backbone": "lite0"}}
    assert f"{row}, in other looks by lite0 |" in render(provenance={**PROVENANCE, "augmentation": styled})
    assert "trained on |" not in render()


def test_a_fine_tuned_backbone_is_no_frozen_one() -> None:
    weights = {"status": "pretrained", "licence": "MIT"}
    settings = {"unfreeze": "all", "backbone": {"name": "lite0"}}
    provenance = {**PROVENANCE, "backbone": {"name": "lite0", "weights": weights}}
    text = render(architecture="finetune", settings=settings, provenance=provenance)
    assert "An image classifier: a fine-tuned lite0, 12,345 parameters" in text
    assert "| backbone | lite0, pretrained and fine-tuned, licence MIT |" in text
    assert "features" not in text
