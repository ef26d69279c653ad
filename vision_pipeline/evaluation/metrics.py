"""Metrics of a classifier on a test set: accuracy, loss, calibration, per-class scores, confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log
from statistics import NormalDist

import numpy as np

Z_95 = NormalDist().inv_cdf(0.975)  # the normal quantile of a two-sided 95 % interval


@dataclass(frozen=True)
class Predictions:
    """The targets of a test set and a model's predictions for them.

    Attributes:
        targets: int64 (N,), true class indices.
        predicted: int64 (N,), the class with the highest logit (the first of equal ones).
        probabilities: float64 (N, K), the softmax of the logits; rows sum to 1.
        loss: mean cross-entropy in nats.
    """

    targets: np.ndarray
    predicted: np.ndarray
    probabilities: np.ndarray
    loss: float

    @property
    def correct(self) -> np.ndarray:
        """Return which predictions are right, bool (N,)."""
        return self.predicted == self.targets

    @property
    def confidence(self) -> np.ndarray:
        """Return the probability of the predicted class, float64 (N,), 1/K to 1."""
        return self.probabilities[np.arange(len(self.targets)), self.predicted]

    @property
    def confusion(self) -> np.ndarray:
        """Return how many images of class `row` were predicted as class `column`, int64 (K, K)."""
        num_classes = self.probabilities.shape[1]
        pairs = self.targets * num_classes + self.predicted
        return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)

    def worst_rows(self, count: int) -> np.ndarray:
        """Return the rows of at most `count` wrong predictions, the most confident first."""
        wrong = np.flatnonzero(~self.correct)
        return wrong[np.argsort(-self.confidence[wrong], kind="stable")][:count]


def make_predictions(logits: np.ndarray, targets: np.ndarray) -> Predictions:
    """Return the predictions that a model's logits make.

    Args:
        logits: float (N, K), finite.
        targets: int (N,), true class indices, 0 to K - 1.

    Raises:
        ValueError: there are no rows, shapes do not fit, a target is no class, or a logit is not finite.
    """
    from scipy.special import log_softmax  # late: commands that only read tables import this module, too

    logits, targets = np.asarray(logits, np.float64), np.asarray(targets, np.int64)
    if logits.ndim != 2 or len(logits) == 0 or targets.shape != logits.shape[:1]:
        raise ValueError(f"logits {logits.shape} and targets {targets.shape} do not fit")
    if not np.isfinite(logits).all():
        raise ValueError("logits are not finite")
    if targets.min() < 0 or targets.max() >= logits.shape[1]:
        raise ValueError(f"targets {targets.min()} to {targets.max()} for {logits.shape[1]} classes")
    log_probabilities = log_softmax(logits, axis=1)
    loss = -log_probabilities[np.arange(len(targets)), targets].mean()
    return Predictions(targets, logits.argmax(axis=1), np.exp(log_probabilities), float(loss))


def wilson_interval(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share, 0 to 1; unlike Wald's interval it is valid near 0 and 1.

    It is the interval of `scipy.stats.binomtest(...).proportion_ci(method="wilson")`, whose import takes half a second
    of each stage that evaluates a model.

    Args:
        correct: number of images that were predicted rightly.
        images: number of all images, at least 1.

    Returns:
        The lower and the upper end; the share itself always lies between them.

    Source: E. B. Wilson, "Probable inference, the law of succession, and statistical inference",
    Journal of the American Statistical Association 22 (1927), 209-212.
    """
    share, z2 = correct / images, Z_95**2 / images
    half = Z_95 * np.sqrt(share * (1 - share) / images + z2 / (4 * images))
    low, high = (share + z2 / 2 - half) / (1 + z2), (share + z2 / 2 + half) / (1 + z2)
    # at 0 and at 1 an end of the interval equals the share; rounding must not move it beyond the share
    return float(min(max(low, 0.0), share)), float(max(min(high, 1.0), share))


@dataclass(frozen=True, kw_only=True)
class PerClassMetrics:
    """The metrics of each class, arrays (K,).

    Attributes:
        precision, recall, f1: 0 to 1; 0 where undefined.
        support: images of the class.
        predicted: images that were predicted as this class.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    predicted: np.ndarray

    @property
    def macro_f1(self) -> float:
        """Return the mean F1 of the classes that are in the test set or were predicted, 0 to 1."""
        return float(self.f1[self.support + self.predicted > 0].mean())


def compute_per_class(confusion: np.ndarray) -> PerClassMetrics:
    """Compute precision, recall and F1 of each class from a confusion matrix, int (K, K), rows for the truth."""
    hits, truth, predicted = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return PerClassMetrics(
        precision=hits / np.maximum(predicted, 1),
        recall=hits / np.maximum(truth, 1),
        f1=2 * hits / np.maximum(truth + predicted, 1),
        support=truth,
        predicted=predicted,
    )


@dataclass(frozen=True)
class Reliability:
    """The accuracy for each level of confidence, in bins of equal width from 0 to 1.

    Attributes:
        confidence, accuracy: float64 (bins,), means over a bin's images; NaN for an empty bin.
        count: int64 (bins,), images in the bin.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray

    @property
    def ece(self) -> float:
        """Return the expected calibration error, 0 to 1: the mean gap, weighted by the bins' counts."""
        gaps = np.abs(self.confidence - self.accuracy) * self.count
        return float(np.nansum(gaps) / self.count.sum())


def compute_reliability(confidence: np.ndarray, correct: np.ndarray, bins: int) -> Reliability:
    """Sort predictions into bins by confidence; bin m holds the confidences in ((m-1)/bins, m/bins].

    Args:
        confidence: float (N,), 0 to 1.
        correct: bool (N,).
        bins: number of bins.

    Source: C. Guo et al., "On calibration of modern neural networks", ICML 2017, section 2,
    https://arxiv.org/abs/1706.04599
    """
    bin_indices = np.digitize(confidence, np.linspace(0, 1, bins + 1)[1:-1], right=True)
    count = np.bincount(bin_indices, minlength=bins)
    filled = np.where(count > 0, count, np.nan)
    mean_confidence = np.bincount(bin_indices, weights=confidence, minlength=bins) / filled
    return Reliability(mean_confidence, np.bincount(bin_indices, weights=correct, minlength=bins) / filled, count)


def summary_metrics(predictions: Predictions, bins: int) -> dict[str, float | int]:
    """Return the metrics of `metrics.json`, to 6 decimals, so that a diff shows changes and not rounding."""
    images, correct = len(predictions.targets), int(predictions.correct.sum())
    low, high = wilson_interval(correct, images)
    metrics = {
        "accuracy": correct / images,
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": predictions.loss,
        "ece": compute_reliability(predictions.confidence, predictions.correct, bins).ece,
        "macro_f1": compute_per_class(predictions.confusion).macro_f1,
    }
    return {name: round(value, 6) for name, value in metrics.items()} | {"images": images, "correct": correct}


def compute_test_metrics(
    predictions: Predictions, tta_predictions: Sequence[Predictions], kind: str, bins: int
) -> dict[str, float | int]:
    """Return `summary_metrics`, with `tta_...` for predictions over averaged views and a text's `bits_per_character`.

    Args:
        predictions: predictions for the test set.
        tta_predictions: predictions averaged over the views of test-time augmentation; may be empty.
        kind: kind of the inputs: "images", "text" or "sequences".
        bins: number of bins of the calibration error.
    """
    metrics = summary_metrics(predictions, bins)
    for tta in tta_predictions:
        tta_metrics = summary_metrics(tta, bins)
        metrics |= {f"tta_{key}": tta_metrics[key] for key in ("accuracy", "accuracy_low", "accuracy_high")}
    if kind == "text":
        metrics["bits_per_character"] = bits_per_token(predictions.loss)
    return metrics


def bits_per_token(loss: float) -> float:
    """Return a loss in nats as bits, to 6 decimals: the length of a symbol's code under the model's predictions.

    Source: C. E. Shannon, Prediction and entropy of printed English, Bell System Technical Journal 30 (1951).
    """
    return round(loss / log(2), 6)
