"""Which differences between the models of a data set are real: every pair, on the same test items."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stages.evaluation.paired import holm, paired
from stages.evaluation.tables import read_words, records

LEVEL = 0.05
COLUMNS = (
    "pair", "dataset", "model", "other", "items", "both_right", "only_model", "only_other", "both_wrong",
    "difference", "low", "high", "p", "p_holm", "told_apart",
)  # fmt: skip
_ITEM = ["name", "hash", "actual"]


def comparisons(board: pd.DataFrame, reports: Path) -> pd.DataFrame:
    """One row of `COLUMNS` per pair of models of a data set; `model` is the one that ranks higher.

    `p_holm` is raised for the number of pairs of the data set, and `told_apart` says whether it is below `LEVEL`. Two
    models whose test items differ, as when one was tested before the data changed, are no pair.

    Args:
        board: of `leaderboard`, in its order.
        reports: the folder of the models' reports.

    Raises:
        Refusal: a model's `predictions.csv` is missing.
    """
    groups = board.groupby("dataset", sort=False)["model"]
    tested = {dataset: predictions(models, reports) for dataset, models in groups if len(models) > 1}
    rows = [row for dataset, of_models in tested.items() for row in pairs(str(dataset), of_models)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def predictions(models: Iterable[str], reports: Path) -> dict[str, pd.DataFrame]:
    """The `predictions.csv` of each model, as text.

    Raises:
        Refusal: one is missing.
    """
    return {name: read_words(reports / name / "predictions.csv") for name in models}


def pairs(dataset: str, tested: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """The rows of one data set, as of `comparisons`.

    Args:
        dataset: its name.
        tested: of `predictions`, by falling rank.
    """
    rows = [
        {"pair": f"{model} - {other}", "dataset": dataset, "model": model, "other": other}
        | _figures(tested[model], tested[other])
        for model, other in combinations(tested, 2)
        if tested[model][_ITEM].equals(tested[other][_ITEM])
    ]
    return _corrected(rows)


def changes(tested: Mapping[str, tuple[pd.DataFrame, pd.DataFrame]]) -> list[dict[str, Any]]:
    """What became of models that were tested twice, as before and after a change; `difference` is after less before.

    Args:
        tested: by model, its `predictions.csv` before and after; one whose test items differ is left out.

    Returns:
        Of each model `model`, `before` and `after` (accuracies) and the columns of `COLUMNS` from `items` on,
        `only_model` counting what only the later got right. `p_holm` is raised for the number of models.
    """
    rows = [
        {"model": name, "before": float(_right(before).mean()), "after": float(_right(after).mean())}
        | _figures(after, before)
        for name, (before, after) in tested.items()
        if after[_ITEM].equals(before[_ITEM])
    ]
    return _corrected(rows)


def _corrected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for row, p in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row |= {"p_holm": p, "told_apart": p < LEVEL}
    return rows


def _figures(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    found = paired(_right(one), _right(other))
    counts = {"both_right": found.both_right, "only_model": found.only_one, "only_other": found.only_other}
    interval = {"difference": found.difference, "low": found.low, "high": found.high, "p": found.p}
    return {"items": len(one)} | counts | {"both_wrong": found.both_wrong} | interval


def _right(predictions: pd.DataFrame) -> np.ndarray:
    """Which items were got right, bool (N,)."""
    return (predictions["actual"] == predictions["predicted"]).to_numpy()


def against_best(board: pd.DataFrame, found: pd.DataFrame) -> dict[str, str]:
    """How each model stands against the first of its data set, in percent points; empty where there is none other.

    Against the first, and not against the next above: of models in a row each of which equals the next, the last may
    well be worse than the first.
    """
    pairs = {(row["model"], row["other"]): row for row in records(found)}
    words: dict[str, str] = {}
    for _, models in board.groupby("dataset", sort=False)["model"]:
        best, *others = list(models)
        words[best] = "best" if others else ""
        words |= {name: _said(pairs.get((best, name))) for name in others}
    return words


def _said(row: dict[str, Any] | None) -> str:
    if row is None:
        return "tested on other items"
    less, low, high = (100 * -row[key] for key in ("difference", "high", "low"))
    points = f"{less:+.2f} ({low:+.2f} to {high:+.2f})"
    return points if row["told_apart"] else f"{points}, not told apart"
