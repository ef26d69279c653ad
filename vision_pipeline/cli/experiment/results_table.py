"""An experiment's table: a row for each model, the figures with their 95 % intervals over seeds or test images."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from vision_pipeline.cli.experiment.variants import ExperimentConfig, PublishedResult, Variant
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import UserError
from vision_pipeline.evaluation.seeds import mean_ci
from vision_pipeline.evaluation.tables import table_to_records

_STANDARD_METRICS = ("accuracy", "val_accuracy", "parameters", "first_layer_gradient")
_MAX_SHALLOW_LAYERS = 2  # hidden layers at most


MetricDict = dict[str, Any]  # of a model with one seed


def tabulate_results(
    experiment: ExperimentConfig, variants: Sequence[Variant], metrics_by_variant: Sequence[Sequence[MetricDict]]
) -> pd.DataFrame:
    """The axes' levels, `hidden_layers`, `shallow_or_deep`, `data`, and each figure, with `<figure>_low` and `_high`.

    Args:
        experiment: its `figure` names more columns.
        variants: a row each.
        metrics_by_variant: `figures` of each variant, by seed.
    """
    keys = dict.fromkeys(
        [*experiment.plotted_metrics, *(published.figure for published in experiment.reported), *_STANDARD_METRICS]
    )
    rows = []
    for variant, seed_metrics in zip(variants, metrics_by_variant, strict=True):
        row: dict[str, Any] = {**variant.levels, **describe_depth(variant.model), "data": seed_metrics[0]["provenance"]}
        for key in keys:
            row |= summarize_over_seeds(key, seed_metrics)
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def describe_depth(model: dict[str, Any]) -> dict[str, Any]:
    """The number of hidden layers of an mlp, a cnn or a head, and what such a network is called; else nothing."""
    if not isinstance(model.get("hidden"), list):  # of a recurrent network it is a size
        return {}
    hidden = len(model.get("channels", [])) + len(model["hidden"])
    return {"hidden_layers": hidden, "shallow_or_deep": "shallow" if hidden <= _MAX_SHALLOW_LAYERS else "deep"}


def summarize_over_seeds(key: str, seed_metrics: Sequence[MetricDict]) -> MetricDict:
    """A figure's mean over seeds and its 95 % interval by Student's t; of one seed, the interval that it came with.

    Where all seeds agree, as on the number of parameters, there is no interval.

    Raises:
        UserError: the models have no such figure.
    """
    if key not in seed_metrics[0]:
        raise UserError(f"figure.y is {key!r}; {did_you_mean(key, list(seed_metrics[0]))}")
    if len(seed_metrics) == 1:
        return {name: seed_metrics[0].get(name) for name in (key, f"{key}_low", f"{key}_high")}
    values = [metrics[key] for metrics in seed_metrics]
    if len(set(values)) == 1:
        return {key: values[0]}
    low, high = mean_ci(values, is_fraction="accuracy" in key)
    return {key: fmean(values), f"{key}_low": low, f"{key}_high": high}


def render_results_markdown(name: str, experiment: ExperimentConfig, rows: pd.DataFrame) -> str:
    """The table as a Markdown page, which says how the intervals came about and on what data."""
    columns = [column for column in map(str, rows) if not column.endswith(("_low", "_high"))]
    lines = [f"# {name}", "", experiment.description + ".", ""]
    if "stand-in" in set(rows["data"]):
        lines += ["> **Warning.** Measured on stand-in data; compare it with nothing published.", ""]
    lines += [to_markdown_row([column.replace("_", " ") for column in columns]), to_markdown_row(["--"] * len(columns))]
    lines += [to_markdown_row([format_cell(column, row) for column in columns]) for row in table_to_records(rows)]
    return "\n".join([*lines, "", describe_intervals(experiment), *_render_published_comparison(experiment, rows), ""])


def _render_published_comparison(experiment: ExperimentConfig, rows: pd.DataFrame) -> list[str]:
    """A table of what others reported and what is measured here; nothing where nobody did."""
    if not experiment.reported:
        return []
    row_by_variant = {"-".join(str(row[axis]) for axis in experiment.vary): row for row in table_to_records(rows)}
    lines = ["", "## Against what is reported elsewhere", ""]
    lines += [to_markdown_row(["variant", "figure", "reported", "here", "", "by"]), to_markdown_row(["--"] * 6)]
    for published in experiment.reported:
        row, metric = row_by_variant[published.variant], published.figure
        metric_name, published_value = metric.replace("_", " "), format_metric(metric, published.value)
        lines.append(
            to_markdown_row(
                [
                    published.variant,
                    metric_name,
                    published_value,
                    format_cell(metric, row),
                    judge_reproduction(published, row),
                    published.source,
                ]
            )
        )
    return lines


def judge_reproduction(published: PublishedResult, row: dict[str, Any]) -> str:
    """`reproduced`: the value reported lies within the interval here; else whether it is better here, or worse.

    On stand-in data nothing can be compared.
    """
    if row["data"] == "stand-in":
        return "not comparable: stand-in data"
    measured_value = row[published.figure]
    bounds = (row.get(f"{published.figure}_{bound}") for bound in ("low", "high"))
    low, high = (
        measured_value if pd.isna(bound) else bound for bound in bounds
    )  # where all seeds agree there is no interval
    if low <= published.value <= high:
        return "reproduced"
    return "beaten" if (measured_value > published.value) != ("loss" in published.figure) else "missed"


def describe_intervals(experiment: ExperimentConfig) -> str:
    """How the intervals came about."""
    count = len(experiment.seeds)
    if count == 1:
        return "One seed; the 95 % interval is Wilson's, over the test images."
    return f"Mean over {count} seeds with its 95 % interval (Student's t)."


def format_cell(column: str, row: dict[str, Any]) -> str:
    """A figure and its interval, for people; an em dash where there is none."""
    value, low, high = (row.get(key) for key in (column, f"{column}_low", f"{column}_high"))
    if column == "data":
        return "STAND-IN" if value == "stand-in" else str(value)
    if low is None or pd.isna(low):
        return format_metric(column, value)
    return f"{format_metric(column, value)} ({format_metric(column, low)} to {format_metric(column, high)})"


def format_metric(key: str, value: Any) -> str:
    """A figure as it is written: accuracies in per cent, whole numbers in full, others to 4 digits."""
    if value is None or (isinstance(value, float) and pd.isna(value)):
        return "—"
    if isinstance(value, str):
        return value
    if "accuracy" in key:
        return f"{value:.2%}"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:.4g}"


def to_markdown_row(cells: Sequence[str]) -> str:
    """A row of a Markdown table."""
    return "| " + " | ".join(cells) + " |"
