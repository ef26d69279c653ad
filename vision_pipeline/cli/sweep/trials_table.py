"""A sweep's table: a row for each trial that has ended."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from vision_pipeline.cli.metric_format import STAND_IN_WARNING, format_metric, render_markdown_table
from vision_pipeline.cli.sweep.search_space import SweepConfig
from vision_pipeline.evaluation.tables import table_to_records

STATE_NAMES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def tabulate_trials(name: str, sweep: SweepConfig, trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """Return a sweep's table.

    The metric of a pruned trial is that of its last epoch; a failed trial has none.

    Args:
        name: name of the sweep.
        sweep: its file.
        trials: its trials by number, each in one of the states of `STATE_NAMES`.

    Returns:
        The columns `trial`, `state`, the values by dotted key, the metric, `epochs` and `data`.
    """
    columns = ["trial", "state", *sweep.space, sweep.metric, "epochs", "data"]
    return pd.DataFrame([_make_row(name, sweep, trial) for trial in trials], columns=columns)


def _make_row(name: str, sweep: SweepConfig, trial: FrozenTrial) -> dict[str, Any]:
    last_epoch, value = max(trial.intermediate_values.items(), default=(None, None))
    row: dict[str, Any] = {"trial": f"{name}-{trial.number:04}", "state": STATE_NAMES[trial.state], **trial.params}
    if trial.state == TrialState.COMPLETE:
        last_epoch, value = trial.user_attrs["epochs"], trial.value
    if trial.state != TrialState.FAIL:
        row |= {sweep.metric: value, "epochs": last_epoch}
    return row | {"data": trial.user_attrs.get("provenance")}


def rank_trials(sweep: SweepConfig, rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows in another order: finished trials, the best first, then pruned and failed ones by number."""
    order = rows["state"].map(list(STATE_NAMES.values()).index)
    value = rows[sweep.metric].astype(float) * (-1 if sweep.direction == "maximize" else 1)
    keys = pd.DataFrame({"order": order, "value": value.where(order == 0, 0.0)})
    return rows.loc[keys.sort_values(["order", "value"], kind="stable").index]


def render_trials_markdown(name: str, sweep: SweepConfig, rows: pd.DataFrame) -> str:
    """Return the table as a Markdown page, with the command that takes the best trial over."""
    lines = [f"# {name}", "", sweep.description + ".", ""]
    if "stand-in" in set(rows["data"]):
        lines += [STAND_IN_WARNING, ""]
    columns = [column for column in map(str, rows) if column != "data"]
    ranked_rows = rank_trials(sweep, rows)
    cells = [[format_metric(column, row[column]) for column in columns] for row in table_to_records(ranked_rows)]
    lines += render_markdown_table(columns, cells)
    return "\n".join([*lines, "", describe_trials(sweep, rows), "", *_describe_best(sweep, ranked_rows), ""])


def describe_trials(sweep: SweepConfig, rows: pd.DataFrame) -> str:
    """Return how many trials ended in which state, and how reliable their metrics are."""
    counts = rows["state"].value_counts()
    state_counts = ", ".join(f"{counts[state]} {state}" for state in STATE_NAMES.values() if state in counts)
    note = "Validation split, one seed: the best of many looks better than it is."
    return f"Trials of {sweep.model}: {state_counts}. {note}"


def _describe_best(sweep: SweepConfig, ranked_rows: pd.DataFrame) -> list[str]:
    if not (ranked_rows["state"] == "finished").any():
        return []
    best = ranked_rows.iloc[0]
    metric_text = f"{sweep.metric.replace('_', ' ')} {format_metric(sweep.metric, best[sweep.metric])}"
    command = f"`dvc exp apply {best['trial']}`, then `vision repro`"
    return [f"The best: {best['trial']}, {metric_text}. Take it over and test it once: {command}."]
