"""What a model's report says of its data, so that the leaderboard needs nothing but reports."""

from typing import Any

import pandas as pd

_SHOWN = 12  # rejected files named; rejects.csv has them all


def data_facts(about: dict[str, Any], rejects: pd.DataFrame, backbone: dict[str, Any] | None) -> dict[str, Any]:
    """The content of `data.json`.

    Args:
        about: the `dataset.json` of the prepared images.
        rejects: `rejects.csv` of the prepared images: `file` and `reason`.
        backbone: that the features came from or that was trained on: its `name` and the provenance of its `weights`.
    """
    return {
        "provenance": about["provenance"],
        "shape": about["shape"],
        "counts": about["counts"],
        "rejected": len(rejects),
        "rejects": rejects[["file", "reason"]].head(_SHOWN).to_dict("records"),
        "backbone": backbone,
    }


def random_weights(facts: dict[str, Any]) -> bool:
    """Whether it has a backbone that had learnt nothing."""
    return bool(facts["backbone"]) and facts["backbone"]["weights"]["status"] == "random"
