"""Tests of significance: two models on the same test items, all pairs of a data set, and a model against a champion."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr

from vision_pipeline.core.logging import logger
from vision_pipeline.evaluation.metrics import Z_95
from vision_pipeline.evaluation.tables import read_csv_str, table_to_records

SIGNIFICANCE_LEVEL = 0.05
COMPARISON_COLUMNS = (
    "pair", "dataset", "model", "other", "items", "both_right", "only_model", "only_other", "both_wrong",
    "difference", "low", "high", "p", "p_holm", "told_apart",
)  # fmt: skip
_ITEM_COLUMNS = ["name", "hash", "actual"]
_QUANTILE = round(Z_95, 6)  # with more digits, the last digits of intervals that are already written would change


@dataclass(frozen=True, kw_only=True)
class McNemarResult:
    """The comparison of two models on the same test items.

    Attributes:
        both_right, only_first, only_second, both_wrong: numbers of test items.
        difference: accuracy of the first model minus that of the second, -1 to 1.
        low, high: ends of its 95 % interval.
        p: probability of a difference at least as large if both models are equally good, 0 to 1.
    """

    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    difference: float
    low: float
    high: float
    p: float


def mcnemar_test(first: np.ndarray, second: np.ndarray) -> McNemarResult:
    """Compare two models by the test items that each of them predicted rightly.

    The test is McNemar's, exact and two-sided. It counts only the items that one model alone got right: if the models
    are equally good, each of these is as likely to be the first model's as the second's.

    Args:
        first, second: bool (N,), whether each model is right, in the same order of items.

    Raises:
        ValueError: there are no items, or not the same number.

    Source: McNemar, Note on the sampling error of the difference between correlated proportions, Psychometrika 12
    (1947).
    """
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"{first.shape} and {second.shape} are not the same test items")
    both_right, only_first, only_second = (
        int(np.sum(mask)) for mask in (first & second, first & ~second, ~first & second)
    )
    discordant = only_first + only_second
    low, high = _agresti_min_interval(only_first, only_second, first.size)
    p = min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5)))  # both tails are equal
    both_wrong, difference = first.size - both_right - discordant, (only_first - only_second) / first.size
    return McNemarResult(
        both_right=both_right,
        only_first=only_first,
        only_second=only_second,
        both_wrong=both_wrong,
        difference=difference,
        low=low,
        high=high,
        p=p,
    )


def _agresti_min_interval(only_first: int, only_second: int, items: int) -> tuple[float, float]:
    """Return Wald's 95 % interval with half an item added to each of the four counts, cut off at -1 and 1.

    Source: Agresti and Min, Simple improved confidence intervals for comparing matched proportions, Statistics in
    Medicine 24 (2005).
    """
    adjusted = items + 2
    difference = (only_first - only_second) / adjusted
    variance = (only_first + only_second + 1 - adjusted * difference**2) / adjusted**2
    half = _QUANTILE * variance**0.5
    return max(-1.0, difference - half), min(1.0, difference + half)


def holm_correction(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for multiple tests, in the same order; they control the family-wise error rate.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.array([p_values[index] * (len(order) - rank) for rank, index in enumerate(order)])
    result = np.empty(len(order))
    result[order] = np.minimum(1.0, np.maximum.accumulate(raised)) if len(order) else raised
    return [float(value) for value in result]


def compare_all(board: pd.DataFrame, reports: Path) -> pd.DataFrame:
    """Compare all pairs of models of each data set.

    Args:
        board: the result of `build_leaderboard`.
        reports: folder of the models' reports.

    Returns:
        A table with `COMPARISON_COLUMNS` and one row per pair; `model` ranks higher than `other`. `p_holm` is corrected
        for the number of pairs of the data set, and `told_apart` is whether it is below `SIGNIFICANCE_LEVEL`. Two
        models that were tested on different items, such as before and after a change of the data, are left out.

    Raises:
        ArtifactError: a model's `predictions.csv` is missing.
    """
    groups = board.groupby("dataset", sort=False)["model"]
    by_dataset = {dataset: load_predictions(models, reports) for dataset, models in groups if len(models) > 1}
    rows = [row for dataset, by_model in by_dataset.items() for row in compare_pairs(str(dataset), by_model)]
    logger.debug(f"{len(rows)} pairs of models were tested on the same items")
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def load_predictions(models: Iterable[str], reports: Path) -> dict[str, pd.DataFrame]:
    """Read the `predictions.csv` of each model, all cells as text.

    Raises:
        ArtifactError: a file is missing or damaged.
    """
    return {name: read_csv_str(reports / name / "predictions.csv") for name in models}


def compare_pairs(dataset: str, predictions: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Compare all pairs of models of one data set.

    Args:
        dataset: name of the data set.
        predictions: result of `load_predictions`, the best model first.

    Returns:
        The rows of `compare_all` for this data set.
    """
    rows = [
        {"pair": f"{model} - {other}", "dataset": dataset, "model": model, "other": other}
        | _compare_predictions(predictions[model], predictions[other])
        for model, other in combinations(predictions, 2)
        if predictions[model][_ITEM_COLUMNS].equals(predictions[other][_ITEM_COLUMNS])
    ]
    return _add_holm_correction(rows)


def compare_before_after(predictions: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> list[dict[str, Any]]:
    """Compare each model with itself before a change.

    Args:
        predictions: `predictions.csv` before and after the change, by model.

    Returns:
        One row per model whose test items are the same: `model`, the accuracies `before` and `after`, and the columns
        of `COMPARISON_COLUMNS` from `items` on. `difference` is after minus before, `only_model` counts the items that
        are right only after the change, and `p_holm` is corrected for the number of models.
    """
    rows = [
        {
            "model": name,
            "before": float(_get_correct_mask(before).mean()),
            "after": float(_get_correct_mask(after).mean()),
        }
        | _compare_predictions(after, before)
        for name, (before, after) in predictions.items()
        if after[_ITEM_COLUMNS].equals(before[_ITEM_COLUMNS])
    ]
    return _add_holm_correction(rows)


def _add_holm_correction(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row, p in zip(rows, holm_correction([row["p"] for row in rows]), strict=True):
        row |= {"p_holm": p, "told_apart": p < SIGNIFICANCE_LEVEL}
    return rows


def _compare_predictions(model: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    result = mcnemar_test(_get_correct_mask(model), _get_correct_mask(other))
    counts = {"both_right": result.both_right, "only_model": result.only_first, "only_other": result.only_second}
    interval = {"difference": result.difference, "low": result.low, "high": result.high, "p": result.p}
    return {"items": len(model)} | counts | {"both_wrong": result.both_wrong} | interval


def _get_correct_mask(predictions: pd.DataFrame) -> np.ndarray:
    """Return which items were predicted rightly, bool (N,)."""
    return (predictions["actual"] == predictions["predicted"]).to_numpy()


def gap_to_best(board: pd.DataFrame, comparisons: pd.DataFrame) -> dict[str, str]:
    """Return the gap of each model to the best of its data set as a text, in percent points.

    Models are compared with the best and not with the next better one, because the last of several models may be worse
    than the first although no two neighbours differ significantly.

    Args:
        board: the result of `build_leaderboard`.
        comparisons: the result of `compare_all`.

    Returns:
        Texts by model; empty for the only model of a data set.
    """
    pairs = {(row["model"], row["other"]): row for row in table_to_records(comparisons)}
    gaps: dict[str, str] = {}
    for _, models in board.groupby("dataset", sort=False)["model"]:
        best, *others = list(models)
        gaps[best] = "best" if others else ""
        gaps |= {name: _format_gap(pairs.get((best, name))) for name in others}
    return gaps


def _format_gap(row: dict[str, Any] | None) -> str:
    if row is None:
        return "tested on other items"
    gap, low, high = (100 * -row[key] for key in ("difference", "high", "low"))
    points = f"{gap:+.2f} ({low:+.2f} to {high:+.2f})"
    return points if row["told_apart"] else f"{points}, not told apart"


def should_promote(
    rows: Sequence[Mapping[str, Any]], challenger: str, champion: str, require_significance: bool
) -> tuple[bool, str] | None:
    """Return whether the challenger replaces the champion, and the numbers behind this.

    Args:
        rows: result of `compare_pairs`; each pair of models is there once, in either order.
        challenger, champion: names of the two models in `rows`.
        require_significance: require a significant difference, and not only a higher accuracy.

    Returns:
        The decision and its reason; None if the two models were tested on different items.
    """
    matching_rows = [row for row in rows if {row["model"], row["other"]} == {challenger, champion}]
    if not matching_rows:
        return None
    (row,) = matching_rows
    sign = 1 if row["model"] == challenger else -1
    low, high = sorted((sign * row["low"], sign * row["high"]))
    difference = sign * row["difference"]
    promoted = difference > 0 and (row["told_apart"] or not require_significance)
    points = f"{100 * difference:+.2f} points ({100 * low:+.2f} to {100 * high:+.2f})"
    verdict = "told apart" if row["told_apart"] else "not told apart"
    return promoted, f"{points} on the same {row['items']:,} test items, p = {row['p_holm']:.2g}, {verdict}"
