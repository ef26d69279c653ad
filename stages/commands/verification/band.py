"""Where the test accuracy of one more training of a model may lie."""

from dataclasses import dataclass
from typing import Any

_ROUNDING = 1e-6  # of the figures in metrics.json


@dataclass(frozen=True)
class Band:
    """An interval of test accuracy, both ends included, and by what it is known."""

    low: float
    high: float
    by: str

    def has(self, accuracy: float) -> bool:
        """Whether it lies inside."""
        return self.low - _ROUNDING <= accuracy <= self.high + _ROUNDING


def band_of(metrics: dict[str, Any]) -> Band:
    """The 95 % band of a model's `metrics.json`.

    Of several seeds the prediction interval for one more, mean ± t · sd · √(1 + 1/n), which is wide for few: with three
    seeds five standard deviations to each side. Of one seed no spread is known; the Wilson interval, which is what the
    choice of the test items would change, stands in for it.

    Source: Hahn, Factors for calculating two-sided prediction intervals, JASA 64 (1969).
    """
    count = metrics.get("seeds", 1)
    if count < 2:
        return Band(metrics["accuracy_low"], metrics["accuracy_high"], "one seed: its 95 % Wilson interval")
    from stages.evaluation.seeds import student

    half = student(count - 1) * metrics["accuracy_mean_sd"] * (1 + 1 / count) ** 0.5
    mean = metrics["accuracy_mean"]
    return Band(max(mean - half, 0.0), min(mean + half, 1.0), f"{count} seeds: where one more is expected, 95 %")
