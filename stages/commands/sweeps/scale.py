"""An upright axis of a figure that has one for each key of a sweep, and one for its metric."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from stages.commands.experiments.table import text
from stages.commands.sweeps.file import Dimension

_APART = 0.25  # of a choice's room, to either side, over which the trials that took it are spread
_TICKS = 4  # steps of a range, at most
_NEAR = 0.07  # of an axis: labels that are nearer than this would touch


class Scale:
    """Where values stand on an upright axis from 0 to 1, and the ticks beside it.

    Attributes:
        heights: of each trial, by the index of its row.
        ticks: labels by height.
    """

    def __init__(self, heights: pd.Series, ticks: dict[float, str]) -> None:
        self.heights, self.ticks = heights, ticks

    @classmethod
    def of_key(cls, key: str, dimension: Dimension, rows: pd.DataFrame) -> "Scale":
        """A range from end to end, or choices one above the other."""
        if dimension.choices is not None:
            return cls._of_choices(rows[key].map(str), list(map(str, dimension.choices)))
        low, high = dimension.ends
        return cls._of_range(rows[key].astype(float), float(low), float(high), dimension.log, key)

    @classmethod
    def of_metric(cls, key: str, rows: pd.DataFrame) -> "Scale":
        """From the lowest to the highest that there is."""
        values = rows[key].astype(float)
        low, high = values.min(), values.max()
        return cls._of_range(values, low, high if high > low else low + 1e-9, False, key)

    @classmethod
    def _of_range(cls, values: pd.Series, low: float, high: float, log: bool, key: str) -> "Scale":
        def height(value: Any) -> Any:
            if log:
                return np.log(value / low) / np.log(high / low)
            return (value - low) / (high - low)

        inside = 10.0 ** np.arange(-12, 12) if log else MaxNLocator(_TICKS).tick_values(low, high)
        between = [tick for tick in inside if low < tick < high and _NEAR < height(tick) < 1 - _NEAR]
        labels = {float(height(tick)): text(key, float(f"{tick:.4g}")) for tick in (low, *between, high)}
        return cls(height(values), labels)

    @classmethod
    def _of_choices(cls, values: pd.Series, choices: list[str]) -> "Scale":
        room = 1 / len(choices)
        heights = (values.map(choices.index) + 0.5) * room
        for _, same in heights.groupby(heights):  # lines that would lie on one another
            heights[same.index] += room * np.linspace(-_APART, _APART, len(same)) if len(same) > 1 else 0.0
        return cls(heights, {(place + 0.5) * room: choice for place, choice in enumerate(choices)})
