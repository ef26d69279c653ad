"""An experiment's table: a row for each model, its metrics with their 95 % intervals over seeds or test images."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import pandas as pd

from vision_pipeline.cli.experiment.variants import ExperimentConfig, PublishedResult, Variant
from vision_pipeline.cli.metric_format import STAND_IN_WARNING, format_metric, render_markdown_table
from vision_pipeline.config.fields import did_you_mean
from vision_pipeline.core.errors import ConfigError
from vision_pipeline.evaluation.seeds import mean_ci
from vision_pipeline.evaluation.tables import table_to_records

_STANDARD_METRICS = ("accuracy", "val_accuracy", "parameters", "first_layer_gradient")
_MAX_SHALLOW_LAYERS = 2  # hidden layers of a network that is called shallow, at most

MetricDict = dict[str, Any]  # metrics of a model that was trained with one seed, from `read_metrics`


def tabulate_results(
    experiment: ExperimentConfig, variants: Sequence[Variant], metrics_by_variant: Sequence[Sequence[MetricDict]]
) -> pd.DataFrame:
    """Return an experiment's table.

    Args:
        experiment: its file, whose `figure` and `reported` name metrics beside the standard ones.
        variants: the models, a row each.
        metrics_by_variant: for each variant its metrics, by seed.

    Returns:
        The axes' levels, `hidden_layers`, `shallow_or_deep`, `data`, and each metric with `<metric>_low` and `_high`.
    """
    published_metrics = (published.figure for published in experiment.reported)
    keys = dict.fromkeys([*experiment.plotted_metrics, *published_metrics, *_STANDARD_METRICS])
    rows = []
    for variant, seed_metrics in zip(variants, metrics_by_variant, strict=True):
        row: dict[str, Any] = {**variant.levels, **describe_depth(variant.model), "data": seed_metrics[0]["provenance"]}
        for key in keys:
            row |= summarize_over_seeds(key, seed_metrics)
        rows.append(row)
    return pd.DataFrame(rows).dropna(axis="columns", how="all")


def describe_depth(model: dict[str, Any]) -> dict[str, Any]:
    """Return the number of hidden layers of an mlp, a cnn or a head, and "shallow" or "deep"; else nothing."""
    if not isinstance(model.get("hidden"), list):  # a recurrent network's `hidden` is a size
        return {}
    hidden = len(model.get("channels", [])) + len(model["hidden"])
    return {"hidden_layers": hidden, "shallow_or_deep": "shallow" if hidden <= _MAX_SHALLOW_LAYERS else "deep"}


def summarize_over_seeds(key: str, seed_metrics: Sequence[MetricDict]) -> MetricDict:
    """Return a metric's mean over seeds and its 95 % interval by Student's t.

    With one seed, the interval is the one stored with the metric. Where all seeds agree, as on the number of
    parameters, there is none.

    Raises:
        ConfigError: the models have no such metric.
    """
    if key not in seed_metrics[0]:
        raise ConfigError(f"figure.y is {key!r}; {did_you_mean(key, list(seed_metrics[0]))}")
    if len(seed_metrics) == 1:
        return {name: seed_metrics[0].get(name) for name in (key, f"{key}_low", f"{key}_high")}
    values = [metrics[key] for metrics in seed_metrics]
    if len(set(values)) == 1:
        return {key: values[0]}
    low, high = mean_ci(values, is_fraction="accuracy" in key)
    return {key: fmean(values), f"{key}_low": low, f"{key}_high": high}


def render_results_markdown(name: str, experiment: ExperimentConfig, rows: pd.DataFrame) -> str:
    """Return the table as a Markdown page, with the kind of its intervals and a warning of stand-in data."""
    columns = [column for column in map(str, rows) if not column.endswith(("_low", "_high"))]
    lines = [f"# {name}", "", experiment.description + ".", ""]
    if "stand-in" in set(rows["data"]):
        lines += [STAND_IN_WARNING, ""]
    cells = [[format_cell(column, row) for column in columns] for row in table_to_records(rows)]
    lines += render_markdown_table([column.replace("_", " ") for column in columns], cells)
    return "\n".join([*lines, "", describe_intervals(experiment), *_render_published_comparison(experiment, rows), ""])


def _render_published_comparison(experiment: ExperimentConfig, rows: pd.DataFrame) -> list[str]:
    """Return a table of published values beside those measured here; nothing where none was published."""
    if not experiment.reported:
        return []
    row_by_variant = {"-".join(str(row[axis]) for axis in experiment.vary): row for row in table_to_records(rows)}
    cells = []
    for published in experiment.reported:
        row, metric = row_by_variant[published.variant], published.figure
        published_value, measured_value = format_metric(metric, published.value), format_cell(metric, row)
        verdict = judge_reproduction(published, row)
        metric_name = metric.replace("_", " ")
        cells.append([published.variant, metric_name, published_value, measured_value, verdict, published.source])
    table = render_markdown_table(["variant", "figure", "reported", "here", "", "by"], cells)
    return ["", "## Against what is reported elsewhere", "", *table]


def judge_reproduction(published: PublishedResult, row: dict[str, Any]) -> str:
    """Compare a published value with the interval measured here.

    Returns:
        "reproduced" where the value lies within the interval; else "beaten" where the measured value is better, or
        "missed". On stand-in data nothing can be compared, and the text says so.
    """
    if row["data"] == "stand-in":
        return "not comparable: stand-in data"
    measured_value = row[published.figure]
    bounds = (row.get(f"{published.figure}_{bound}") for bound in ("low", "high"))
    # there is no interval where all seeds agree
    low, high = (measured_value if pd.isna(bound) else bound for bound in bounds)
    if low <= published.value <= high:
        return "reproduced"
    return "beaten" if (measured_value > published.value) != ("loss" in published.figure) else "missed"


def describe_intervals(experiment: ExperimentConfig) -> str:
    """Return a sentence on how the intervals are computed."""
    count = len(experiment.seeds)
    if count == 1:
        return "One seed; the 95 % interval is Wilson's, over the test images."
    return f"Mean over {count} seeds with its 95 % interval (Student's t)."


def format_cell(column: str, row: dict[str, Any]) -> str:
    """Return a metric and its interval as text; an em dash where there is none."""
    value, low, high = (row.get(key) for key in (column, f"{column}_low", f"{column}_high"))
    if column == "data":
        return "STAND-IN" if value == "stand-in" else str(value)
    if low is None or pd.isna(low):
        return format_metric(column, value)
    return f"{format_metric(column, value)} ({format_metric(column, low)} to {format_metric(column, high)})"
