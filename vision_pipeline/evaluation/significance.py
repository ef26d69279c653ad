"""Two models on the same test items: McNemar's test, and the difference in accuracy with its interval."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr

from vision_pipeline.evaluation.tables import read_csv_str, table_to_records

_Z_95 = 1.959964  # of a 95 % interval


@dataclass(frozen=True)
class McNemarResult:
    """What two models got right.

    Attributes:
        both_right, only_first, only_second, both_wrong: counts of test items.
        difference: accuracy of the one less that of the other, -1 to 1.
        low, high: its 95 % interval.
        p: how likely a difference as large or larger is, if the two are equally good; 0 to 1.
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
    """Compare two models by which test items each got right.

    Items on which both agree say nothing of which is better; of the others, each is as likely to be the one's as the
    other's if they are equally good: the exact two-sided test of McNemar, Note on the sampling error of the difference
    between correlated proportions, Psychometrika 12 (1947). The interval is that of Agresti and Min, Simple improved
    confidence intervals for comparing matched proportions, Statistics in Medicine 24 (2005): Wald's, with half an item
    added to each of the four counts.

    Args:
        first, second: bool (N,), in the same order of items.

    Raises:
        ValueError: there are no items, or not the same number.
    """
    if first.shape != second.shape or first.size == 0:
        raise ValueError(f"{first.shape} and {second.shape} are not the same test items")
    both_right, only_first, only_second = (
        int(np.sum(mask)) for mask in (first & second, first & ~second, ~first & second)
    )
    discordant = only_first + only_second
    low, high = _agresti_min_interval(only_first, only_second, first.size)
    p = min(1.0, 2 * float(bdtr(min(only_first, only_second), discordant, 0.5)))  # at a half, both tails are alike
    both_wrong, difference = first.size - both_right - discordant, (only_first - only_second) / first.size
    return McNemarResult(both_right, only_first, only_second, both_wrong, difference, low, high, p)


def _agresti_min_interval(only_first: int, only_second: int, items: int) -> tuple[float, float]:
    """Agresti and Min's, cut off at -1 and 1."""
    adjusted = items + 2
    difference = (only_first - only_second) / adjusted
    variance = (only_first + only_second + 1 - adjusted * difference**2) / adjusted**2
    half = _Z_95 * variance**0.5
    return max(-1.0, difference - half), min(1.0, difference + half)


def holm_correction(p_values: Sequence[float]) -> list[float]:
    """P-values of tests that are looked at together, each raised so that no more than 5 in 100 such looks err at 0.05.

    Source: Holm, A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6 (1979).
    """
    order = np.argsort(p_values, kind="stable")
    raised = np.array([p_values[index] * (len(order) - rank) for rank, index in enumerate(order)])
    result = np.empty(len(order))
    result[order] = np.minimum(1.0, np.maximum.accumulate(raised)) if len(order) else raised
    return [float(value) for value in result]


# MERGED Which differences between the models of a data set are real: every pair, on the same test items.
SIGNIFICANCE_LEVEL = 0.05
COMPARISON_COLUMNS = (
    "pair", "dataset", "model", "other", "items", "both_right", "only_model", "only_other", "both_wrong",
    "difference", "low", "high", "p", "p_holm", "told_apart",
)  # fmt: skip
_ITEM_COLUMNS = ["name", "hash", "actual"]


def compare_all(board: pd.DataFrame, reports: Path) -> pd.DataFrame:
    """One row of `COLUMNS` per pair of models of a data set; `model` is the one that ranks higher.

    `p_holm` is raised for the number of pairs of the data set, and `told_apart` says whether it is below `LEVEL`. Two
    models whose test items differ, as when one was tested before the data changed, are no pair.

    Args:
        board: of `leaderboard`, in its order.
        reports: the folder of the models' reports.

    Raises:
        ArtifactError: a model's `predictions.csv` is missing.
    """
    groups = board.groupby("dataset", sort=False)["model"]
    by_dataset = {dataset: load_predictions(models, reports) for dataset, models in groups if len(models) > 1}
    rows = [row for dataset, by_model in by_dataset.items() for row in compare_pairs(str(dataset), by_model)]
    return pd.DataFrame(rows, columns=list(COMPARISON_COLUMNS))


def load_predictions(models: Iterable[str], reports: Path) -> dict[str, pd.DataFrame]:
    """The `predictions.csv` of each model, as text.

    Raises:
        ArtifactError: one is missing.
    """
    return {name: read_csv_str(reports / name / "predictions.csv") for name in models}


def compare_pairs(dataset: str, predictions: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The rows of one data set, as of `comparisons`.

    Args:
        dataset: its name.
        predictions: of `predictions`, by falling rank.
    """
    rows = [
        {"pair": f"{model} - {other}", "dataset": dataset, "model": model, "other": other}
        | _compare_predictions(predictions[model], predictions[other])
        for model, other in combinations(predictions, 2)
        if predictions[model][_ITEM_COLUMNS].equals(predictions[other][_ITEM_COLUMNS])
    ]
    return _add_holm_correction(rows)


def compare_before_after(predictions: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> list[dict[str, Any]]:
    """What became of models that were tested twice, as before and after a change; `difference` is after less before.

    Args:
        predictions: by model, its `predictions.csv` before and after; one whose test items differ is left out.

    Returns:
        Of each model `model`, `before` and `after` (accuracies) and the columns of `COLUMNS` from `items` on,
        `only_model` counting what only the later got right. `p_holm` is raised for the number of models.
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
    """Which items were got right, bool (N,)."""
    return (predictions["actual"] == predictions["predicted"]).to_numpy()


def gap_to_best(board: pd.DataFrame, comparisons: pd.DataFrame) -> dict[str, str]:
    """How each model stands against the first of its data set, in percent points; empty where there is none other.

    Against the first, and not against the next above: of models in a row each of which equals the next, the last may
    well be worse than the first.
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


# MERGED Whether a model takes over from another, by the same test items.
def should_promote(
    rows: Sequence[Mapping[str, Any]], challenger: str, champion: str, require_significance: bool
) -> tuple[bool, str] | None:
    """Whether the challenger takes over, and the figures that say so; None where the two saw other test items.

    Args:
        rows: of `comparisons.pairs`, each pair of models once, in either order.
        challenger, champion: names in them.
        require_significance: a higher accuracy is not enough, the two must be told apart.
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
