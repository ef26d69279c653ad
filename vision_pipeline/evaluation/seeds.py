"""Results of a model that was trained with several seeds: a table of them, their mean and its interval."""

from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Any

import pandas as pd
from scipy.special import stdtrit

SEED_COLUMNS = ("seed", "accuracy", "loss", "val_accuracy", "best_epoch")


def seeds_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return one row of `SEED_COLUMNS` per seed, the model's own first.

    Args:
        rows: `train.json` and test metrics of each seed, in one dictionary.
    """
    return pd.DataFrame([[row[column] for column in SEED_COLUMNS] for row in rows], columns=list(SEED_COLUMNS))


def aggregate_seeds(table: pd.DataFrame) -> dict[str, float | int]:
    """Return the entries of `metrics.json` about seeds.

    Args:
        table: the result of `seeds_table`.

    Returns:
        The number of `seeds`; with several seeds also `accuracy_mean` and `loss_mean`, each with its standard
        deviation `_sd` and the ends `_low` and `_high` of its 95 % interval.
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
    """Return the 95 % interval of a mean, by Student's t.

    Args:
        values: two or more values.
        is_fraction: values are between 0 and 1, and the interval is cut off there.

    Source: Student, The probable error of a mean, Biometrika 6 (1908).
    """
    mean = fmean(values)
    half = t_critical(len(values) - 1) * stdev(values) / len(values) ** 0.5
    low, high = mean - half, mean + half
    return (max(low, 0.0), min(high, 1.0)) if is_fraction else (low, high)


def t_critical(degrees_of_freedom: int) -> float:
    """Return the critical value of Student's t for a two-sided 95 % interval."""
    return float(stdtrit(degrees_of_freedom, 0.975))
