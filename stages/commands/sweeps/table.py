"""A sweep's table: a row for each trial that has ended."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from stages.commands.experiments.table import line, text
from stages.commands.sweeps.file import Sweep
from stages.evaluation.tables import records

STATES = {TrialState.COMPLETE: "finished", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}


def table(name: str, sweep: Sweep, trials: Sequence[FrozenTrial]) -> pd.DataFrame:
    """`trial`, `state`, the values by dotted key, the metric, `epochs` and `data`, by the trial's number.

    Of a pruned trial the metric is that of its last epoch; of a failed one there is none.

    Args:
        name: of the sweep.
        sweep: its file.
        trials: in one of `STATES`.
    """
    columns = ["trial", "state", *sweep.space, sweep.metric, "epochs", "data"]
    return pd.DataFrame([_row(name, sweep, trial) for trial in trials], columns=columns)


def _row(name: str, sweep: Sweep, trial: FrozenTrial) -> dict[str, Any]:
    last, value = max(trial.intermediate_values.items(), default=(None, None))
    row: dict[str, Any] = {"trial": f"{name}-{trial.number:04}", "state": STATES[trial.state], **trial.params}
    if trial.state == TrialState.COMPLETE:
        last, value = trial.user_attrs["epochs"], trial.value
    if trial.state != TrialState.FAIL:
        row |= {sweep.metric: value, "epochs": last}
    return row | {"data": trial.user_attrs.get("provenance")}


def ranked(sweep: Sweep, rows: pd.DataFrame) -> pd.DataFrame:
    """Finished trials, the best first; then the pruned ones and the failed ones, by number."""
    order = rows["state"].map(list(STATES.values()).index)
    value = rows[sweep.metric].astype(float) * (-1 if sweep.direction == "maximize" else 1)
    keys = pd.DataFrame({"order": order, "value": value.where(order == 0, 0.0)})
    return rows.loc[keys.sort_values(["order", "value"], kind="stable").index]


def as_markdown(name: str, sweep: Sweep, rows: pd.DataFrame) -> str:
    """The table as a Markdown page, which says how the best trial is taken over."""
    lines = [f"# {name}", "", sweep.about + ".", ""]
    if "stand-in" in set(rows["data"]):
        lines += ["> **Warning.** Measured on stand-in data; compare it with nothing published.", ""]
    columns = [column for column in map(str, rows) if column != "data"]
    shown = ranked(sweep, rows)
    lines += [line(columns), line(["--"] * len(columns))]
    lines += [line([text(column, row[column]) for column in columns]) for row in records(shown)]
    return "\n".join([*lines, "", note(sweep, rows), "", *_best(sweep, shown), ""])


def note(sweep: Sweep, rows: pd.DataFrame) -> str:
    """What became of the trials, and what their figures are worth."""
    counts = rows["state"].value_counts()
    said = ", ".join(f"{counts[state]} {state}" for state in STATES.values() if state in counts)
    return f"Trials of {sweep.model}: {said}. Validation split, one seed: the best of many looks better than it is."


def _best(sweep: Sweep, shown: pd.DataFrame) -> list[str]:
    if not (shown["state"] == "finished").any():
        return []
    best = shown.iloc[0]
    figure = f"{sweep.metric.replace('_', ' ')} {text(sweep.metric, best[sweep.metric])}"
    return [f"The best: {best['trial']}, {figure}. Take it over and test it once: `dvc exp apply {best['trial']}`, "
            "then `vision repro`."]  # fmt: skip
