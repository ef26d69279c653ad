"""What a model's report says of its data, so that the leaderboard needs nothing but reports."""

from typing import Any

import pandas as pd

from stages.evaluation.symbols import visible

_SHOWN = 12  # rejected files named; rejects.csv has them all


def data_facts(
    about: dict[str, Any], unit: str, rejects: pd.DataFrame, backbone: dict[str, Any] | None
) -> dict[str, Any]:
    """The content of `data.json`.

    Args:
        about: the `dataset.json` of the prepared data.
        unit: what its rows are called.
        rejects: `rejects.csv` of the prepared data: `file` and `reason`.
        backbone: that the features came from or that was trained on: its `name` and the provenance of its `weights`.
    """
    return {
        "provenance": about["provenance"],
        "not_held_out": about["provenance"].get("not_held_out", []),
        "unit": unit,
        "shape": about["shape"],
        "counts": _visible(about["counts"]) if about["kind"] == "text" else about["counts"],
        "rejected": len(rejects),
        "rejects": rejects[["file", "reason"]].head(_SHOWN).to_dict("records"),
        "backbone": backbone,
    }


def _visible(counts: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    """The same by names that can be seen."""
    return {split: dict(zip(visible(of), of.values(), strict=True)) for split, of in counts.items()}


def random_weights(facts: dict[str, Any]) -> bool:
    """Whether it has a backbone that had learnt nothing."""
    return bool(facts["backbone"]) and facts["backbone"]["weights"]["status"] == "random"
