"""Metrics in the tables and figures of experiments and sweeps: their labels, their values, rows of Markdown."""

from collections.abc import Sequence
from math import isnan
from typing import Any

METRIC_LABELS = {
    "accuracy": "test accuracy",
    "val_accuracy": "validation accuracy",
    "val_loss": "validation loss",
    "first_layer_gradient": "gradient norm of the first layer, before training",
}
STAND_IN_WARNING = "> **Warning.** Measured on stand-in data; compare it with nothing published."


def format_metric(key: str, value: Any) -> str:
    """Return a metric's value as text: accuracies in per cent, whole numbers in full, others with four digits.

    A missing value, None or NaN, is an em dash.
    """
    if value is None or (isinstance(value, float) and isnan(value)):
        return "—"
    if isinstance(value, str):
        return value
    if "accuracy" in key:
        return f"{value:.2%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def render_markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a Markdown table, cells as they are: a page's bytes do not depend on column widths."""
    return ["| " + " | ".join(cells) + " |" for cells in (columns, ["--"] * len(columns), *rows)]
