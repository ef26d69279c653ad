"""Metrics: cases computed by hand, and laws that they obey."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.evaluation.metrics import (
    bits_per_token,
    compute_per_class,
    compute_reliability,
    make_predictions,
    summary_metrics,
    wilson_interval,
)

# Six images of three classes; the columns are the scores of classes 0, 1 and 2.
TARGETS = np.array([0, 0, 1, 1, 2, 2])
PREDICTED = [0, 1, 1, 1, 0, 2]


def one_hot_logits(predictions: list[int], classes: int, height: float) -> np.ndarray:
    return height * np.eye(classes)[predictions]


@pytest.mark.parametrize(
    ("correct", "images", "interval"),
    [(81, 263, (0.2553, 0.3662)), (15, 148, (0.0624, 0.1605)), (0, 20, (0.0, 0.1611)), (1, 29, (0.0061, 0.1718))],
)
def test_wilson_interval_is_the_published_one(correct: int, images: int, interval: tuple[float, float]) -> None:
    """The examples of R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3."""
    assert wilson_interval(correct, images) == pytest.approx(interval, abs=5e-5)


def test_wilson_interval_of_a_test_set() -> None:
    assert wilson_interval(9931, 10000) == pytest.approx((0.9912775062, 0.9945437946), abs=1e-10)


def test_wilson_interval_at_the_ends_is_not_empty() -> None:
    low, high = wilson_interval(0, 10)
    assert low == 0.0
    assert high == pytest.approx(0.2775328, abs=1e-7)
    low, high = wilson_interval(1, 1)
    assert low == pytest.approx(0.2065493, abs=1e-7)
    assert high == 1.0


@given(st.integers(1, 10**6), st.data())
def test_the_interval_contains_the_accuracy(images: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, images))
    low, high = wilson_interval(correct, images)
    assert 0 <= low <= correct / images <= high <= 1
    assert low < high
    mirrored_low, mirrored_high = wilson_interval(images - correct, images)
    assert (mirrored_low, mirrored_high) == pytest.approx((1 - high, 1 - low), abs=1e-12)


def test_scores_of_a_case_by_hand() -> None:
    predictions = make_predictions(one_hot_logits(PREDICTED, 3, 2.0), TARGETS)
    assert predictions.confusion.tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 1]]
    sure = math.exp(2) / (math.exp(2) + 2)
    assert predictions.confidence == pytest.approx([sure] * 6)
    wrong = -math.log((1 - sure) / 2)
    assert predictions.loss == pytest.approx((-4 * math.log(sure) + 2 * wrong) / 6)


def test_per_class_of_a_case_by_hand() -> None:
    classes = compute_per_class(make_predictions(one_hot_logits(PREDICTED, 3, 2.0), TARGETS).confusion)
    assert classes.precision == pytest.approx([1 / 2, 2 / 3, 1])
    assert classes.recall == pytest.approx([1 / 2, 1, 1 / 2])
    assert classes.f1 == pytest.approx([1 / 2, 4 / 5, 2 / 3])
    assert classes.support.tolist() == [2, 2, 2]
    assert classes.macro_f1 == pytest.approx((1 / 2 + 4 / 5 + 2 / 3) / 3)


def test_per_class_agrees_with_scikit_learn() -> None:
    from sklearn.metrics import f1_score, precision_recall_fscore_support

    random = np.random.default_rng(1)
    truth, predicted = random.integers(0, 4, 200), random.integers(0, 3, 200)  # class 3 is never predicted
    classes = compute_per_class(
        make_predictions(one_hot_logits(predicted.tolist(), 5, 1.0), truth).confusion
    )  # class 4 is not there at all
    expected = precision_recall_fscore_support(truth, predicted, labels=range(5), zero_division=0)
    assert classes.precision == pytest.approx(expected[0])
    assert classes.recall == pytest.approx(expected[1])
    assert classes.f1 == pytest.approx(expected[2])
    assert classes.support.tolist() == expected[3].tolist()
    assert classes.macro_f1 == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_a_class_only_predicted_wrongly_lowers_the_macro_f1() -> None:
    classes = compute_per_class(make_predictions(one_hot_logits([0, 1], 2, 1.0), np.array([0, 0])).confusion)
    assert classes.f1 == pytest.approx([2 / 3, 0])
    assert classes.macro_f1 == pytest.approx(1 / 3)


def test_calibration_error_by_hand() -> None:
    # bins (0, 0.5] and (0.5, 1]: 0.5 belongs to the lower one
    bins = compute_reliability(np.array([0.5, 0.3, 0.9, 0.7]), np.array([True, False, True, False]), 2)
    assert bins.count.tolist() == [2, 2]
    assert bins.confidence == pytest.approx([0.4, 0.8])
    assert bins.accuracy == pytest.approx([0.5, 0.5])
    assert bins.ece == pytest.approx((2 * 0.1 + 2 * 0.3) / 4)


def test_empty_bins_count_for_nothing() -> None:
    bins = compute_reliability(np.array([0.95, 1.0]), np.array([True, True]), 10)
    assert bins.count.tolist() == [0] * 9 + [2]
    assert np.isnan(bins.confidence[:9]).all()
    assert bins.ece == pytest.approx(0.025)


def test_a_perfect_and_sure_model() -> None:
    metrics = summary_metrics(make_predictions(one_hot_logits(TARGETS.tolist(), 3, 50.0), TARGETS), 15)
    assert metrics["accuracy"] == metrics["accuracy_high"] == metrics["macro_f1"] == 1.0
    assert metrics["accuracy_low"] == 0.609666
    assert metrics["loss"] == metrics["ece"] == 0.0
    assert (metrics["images"], metrics["correct"]) == (6, 6)


def test_a_model_that_knows_nothing() -> None:
    metrics = summary_metrics(make_predictions(np.zeros((6, 3)), TARGETS), 15)
    assert metrics["accuracy"] == 0.333333
    assert metrics["loss"] == pytest.approx(math.log(3), abs=1e-6)
    assert metrics["ece"] == 0.0


def test_a_single_image() -> None:
    metrics = summary_metrics(make_predictions(np.array([[1.0, 2.0]]), np.array([0])), 15)
    assert (metrics["accuracy"], metrics["accuracy_high"]) == (0.0, 0.793451)
    assert metrics["macro_f1"] == 0.0


def test_enormous_scores_do_not_overflow() -> None:
    predictions = make_predictions(np.array([[1e30, -1e30]]), np.array([0]))
    assert predictions.loss == 0.0
    assert predictions.probabilities.tolist() == [[1.0, 0.0]]


def test_worst_are_wrong_and_the_surest_first() -> None:
    logits = np.array([[0.0, 1.0], [0.0, 3.0], [2.0, 0.0], [0.0, 3.0]])
    predictions = make_predictions(logits, np.array([0, 0, 0, 0]))
    assert predictions.worst_rows(9).tolist() == [1, 3, 0]
    assert predictions.worst_rows(1).tolist() == [1]


@pytest.mark.parametrize(
    ("logits", "targets", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0), "do not fit"),
        (np.zeros((2, 2)), np.zeros(3), "do not fit"),
        (np.array([[np.nan, 0.0]]), np.zeros(1), "not finite"),
        (np.zeros((1, 2)), np.array([2]), "targets 2 to 2 for 2 classes"),
    ],
)
def test_what_cannot_be_scored_is_refused(logits: np.ndarray, targets: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_predictions(logits, targets)


@st.composite
def logits_and_targets(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    images, classes = draw(st.integers(1, 40)), draw(st.integers(2, 6))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    return random.normal(scale=3, size=(images, classes)), random.integers(0, classes, images)


@given(logits_and_targets(), st.integers(2, 20))
def test_laws(case: tuple[np.ndarray, np.ndarray], bins: int) -> None:
    logits, targets = case
    predictions = make_predictions(logits, targets)
    curve = compute_reliability(predictions.confidence, predictions.correct, bins)
    assert predictions.confusion.sum() == curve.count.sum() == len(targets)
    assert np.trace(predictions.confusion) == predictions.correct.sum()
    assert predictions.confusion.sum(axis=1).tolist() == np.bincount(targets, minlength=logits.shape[1]).tolist()
    assert predictions.probabilities.sum(axis=1) == pytest.approx(np.ones(len(targets)))
    assert 0 <= curve.ece <= 1
    assert predictions.loss >= 0
    # accuracy and mean confidence differ by at most the calibration error (triangle inequality)
    assert abs(predictions.correct.mean() - predictions.confidence.mean()) <= curve.ece + 1e-12
    filled = np.flatnonzero(curve.count)
    assert (curve.confidence[filled] <= (filled + 1) / bins + 1e-12).all()
    assert (curve.confidence[filled] >= filled / bins - 1e-12).all()


@given(logits_and_targets(), st.floats(-100, 100))
def test_a_constant_added_to_all_scores_changes_nothing(case: tuple[np.ndarray, np.ndarray], constant: float) -> None:
    logits, targets = case
    plain, shifted = make_predictions(logits, targets), make_predictions(logits + constant, targets)
    assert shifted.loss == pytest.approx(plain.loss, abs=1e-9)
    assert shifted.probabilities == pytest.approx(plain.probabilities, abs=1e-9)


def test_a_coin_costs_a_bit() -> None:
    assert bits_per_token(np.log(2)) == 1.0
    assert bits_per_token(np.log(4) / 2) == 1.0
