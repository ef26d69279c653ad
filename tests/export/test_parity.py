"""Parity: what passes, what is refused, and with which message."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from tiny_model import images, tiny_checkpoint

from vision_pipeline.core.errors import UserError
from vision_pipeline.export.parity import check_parity, compare_logits
from vision_pipeline.models.checkpoint import build_pixel_model
from vision_pipeline.runtime.device import Runtime

CPU = Runtime(torch.device("cpu"), "fp32", 1, "any")
EXPECTED = np.array([[0.0, 1.0], [2.0, 2.0004], [3.0, 0.0]], np.float32)
TARGETS = np.array([1, 0, 0])


def test_equal_logits_have_no_gap() -> None:
    assert compare_logits("f", EXPECTED, reference_logits=EXPECTED, targets=TARGETS, max_logit_gap=0.001) == {
        "accuracy": 2 / 3,
        "max_logit_gap": 0.0,
        "other_predictions": 0,
    }


def test_a_tie_may_fall_the_other_way() -> None:
    logits = EXPECTED + np.array([[0, 0], [0.0008, 0], [0, 0]], np.float32)
    result = compare_logits("f", logits, reference_logits=EXPECTED, targets=TARGETS, max_logit_gap=0.001)
    assert result["other_predictions"] == 1
    assert result["accuracy"] == 1.0
    assert result["max_logit_gap"] == pytest.approx(0.0008, rel=1e-3)


def test_another_class_without_a_tie_is_refused() -> None:
    """Two logits that move towards each other pass a gap of up to twice the bound."""
    expected = np.array([[2.0, 2.0015]], np.float32)
    logits = np.array([[2.0009, 2.0006]], np.float32)
    with pytest.raises(UserError, match=r"model\.onnx: test image 0 gets another class .* 0\.0015 apart"):
        compare_logits("model.onnx", logits, reference_logits=expected, targets=np.array([1]), max_logit_gap=0.001)


@pytest.mark.parametrize("wrong", [0.0011, np.nan, np.inf])
def test_a_gap_above_the_bound_is_refused_with_its_image(wrong: float) -> None:
    logits = EXPECTED.copy()
    logits[2, 1] += np.float32(wrong)
    with pytest.raises(UserError, match=r"model\.pt2: a logit of test image 2 .*export\.max_logit_gap: 0\.001"):
        compare_logits("model.pt2", logits, reference_logits=EXPECTED, targets=TARGETS, max_logit_gap=0.001)


@given(
    arrays(np.float64, (6, 3), elements=st.floats(-5, 5)),
    arrays(np.float64, (6, 3), elements=st.floats(-0.0049, 0.0049)),
)
def test_noise_of_half_the_bound_always_passes(expected: np.ndarray, noise: np.ndarray) -> None:
    result = compare_logits(
        "f", expected + noise, reference_logits=expected, targets=np.zeros(6, int), max_logit_gap=0.01
    )
    assert result["max_logit_gap"] <= 0.0049 + 1e-9


def test_every_format_is_run_over_the_whole_set() -> None:
    checkpoint, (pixels, targets) = tiny_checkpoint("cnn", 3), images(50, 3)
    network = build_pixel_model(checkpoint)
    formats = {"same": lambda: build_pixel_model(checkpoint)}
    report = check_parity(network, formats, pixels, targets, runtime=CPU, max_logit_gap=1e-6)
    with torch.inference_mode():
        hits = network(torch.from_numpy(pixels)).argmax(1).numpy() == targets
    assert report == {
        "images": 50,
        "device": "cpu",
        "max_logit_gap_allowed": 1e-6,
        "reference": {"accuracy": hits.mean()},
        "formats": {"same": {"accuracy": hits.mean(), "max_logit_gap": 0.0, "other_predictions": 0}},
    }


def test_a_changed_weight_is_found() -> None:
    checkpoint, (pixels, targets) = tiny_checkpoint(), images(50)
    changed = {name: tensor.clone() for name, tensor in checkpoint.state_dict.items()}
    next(tensor for name, tensor in changed.items() if name.endswith("bias")).add_(0.5)
    other = build_pixel_model(replace(checkpoint, state_dict=changed))
    with pytest.raises(UserError, match=r"^changed: a logit of test image \d+ is "):
        check_parity(
            build_pixel_model(checkpoint), {"changed": lambda: other}, pixels, targets, runtime=CPU, max_logit_gap=1e-3
        )


def test_a_reference_that_is_not_finite_is_refused() -> None:
    checkpoint, (pixels, targets) = tiny_checkpoint(), images(5)
    broken = {name: tensor.clone() for name, tensor in checkpoint.state_dict.items()}
    next(tensor for name, tensor in broken.items() if name.endswith("bias")).fill_(torch.nan)
    network = build_pixel_model(replace(checkpoint, state_dict=broken))
    with pytest.raises(UserError, match="not finite"):
        check_parity(network, {}, pixels, targets, runtime=CPU, max_logit_gap=1e-3)
