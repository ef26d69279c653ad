"""A model trained with several seeds: what each gives on the test set, and how far they spread."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import pandas as pd
from scipy.special import stdtrit

SEED_COLUMNS = ("seed", "accuracy", "loss", "val_accuracy", "best_epoch")


def seeds_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row of `COLUMNS` per seed, the model's own first.

    Args:
        rows: of each seed, its `train.json` and figures on the test set together.
    """
    return pd.DataFrame([[row[column] for column in SEED_COLUMNS] for row in rows], columns=list(SEED_COLUMNS))


def aggregate_seeds(table: pd.DataFrame) -> dict[str, float | int]:
    """For `metrics.json`: the number of `seeds`; of several the mean of accuracy and loss, `_sd`, `_low` and `_high`.

    Args:
        table: of `seeds_table`.
    """
    aggregates: dict[str, float | int] = {"seeds": len(table)}
    if len(table) > 1:
        for key in ("accuracy", "loss"):
            values = [float(value) for value in table[key]]
            mean, (low, high) = fmean(values), mean_ci(values, is_fraction=key == "accuracy")
            statistics = {"": mean, "_sd": stdev(values), "_low": low, "_high": high}
            aggregates |= {f"{key}_mean{suffix}": round(value, 6) for suffix, value in statistics.items()}
    return aggregates


def mean_ci(values: Sequence[float], is_fraction: bool) -> tuple[float, float]:
    """The 95 % interval of a mean, by Student's t.

    Source: Student, The probable error of a mean, Biometrika 6 (1908).

    Args:
        values: two or more.
        is_fraction: they lie between 0 and 1, which the interval of a few that differ might leave.
    """
    mean = fmean(values)
    half = t_critical(len(values) - 1) * stdev(values) / len(values) ** 0.5
    low, high = mean - half, mean + half
    return (max(low, 0.0), min(high, 1.0)) if is_fraction else (low, high)


def t_critical(degrees_of_freedom: int) -> float:
    """Student's t of so many degrees of freedom, beyond which to both sides 5 % lie."""
    return float(stdtrit(degrees_of_freedom, 0.975))
