"""All models side by side: the leaderboard as a table, as Markdown and for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stages.evaluation.facts import random_weights
from stages.evaluation.tables import records
from stages.project.console import Refusal
from stages.project.files import read_json

# Other tools read the first seven by position.
FROM_METRICS = ("dataset", "provenance", "accuracy", "accuracy_low", "accuracy_high", "parameters")
MORE_METRICS = ("loss", "ece", "macro_f1")
FROM_TRAIN = ("device", "precision", "deterministic", "epochs", "trainable_parameters", "synthetic_images")
OVER_SEEDS = ("accuracy_mean", "accuracy_mean_sd", "accuracy_mean_low", "accuracy_mean_high")  # where it has several
COLUMNS = ("model", *FROM_METRICS, *MORE_METRICS, *FROM_TRAIN, "seeds", *OVER_SEEDS)

_READABLE = (
    "Rank", "Model", "Data set", "Data", "Accuracy", "95 % interval", "Points to the best", "Mean over seeds",
    "Parameters", "Epochs", "Device",
)  # fmt: skip
_WORDS = {"Model", "Data set", "Data", "Points to the best", "Mean over seeds", "Device"}  # aligned to the left
_TOLD = (
    "Points to the best: the difference in percent points with its 95 % interval (Agresti and Min), on the same test "
    "items. Not told apart: by McNemar's exact test, with Holm's correction for all pairs of a data set, p is 0.05 or "
    "more. Mean over seeds: of trainings that differ in nothing else, with its 95 % interval (Student's t)."
)


def evaluated(models: Iterable[str], reports: Path) -> tuple[list[str], list[str]]:
    """The models that have been evaluated, and those that have not, each in the order given."""
    models = list(models)
    done = [name for name in models if (reports / name / "metrics.json").is_file()]
    return done, [name for name in models if name not in done]


def leaderboard(models: Sequence[str], reports: Path) -> pd.DataFrame:
    """One row of `COLUMNS` per model: by data set in the order of first mention, then by falling accuracy.

    Raises:
        Refusal: a report is missing or lacks a figure.
    """
    rows = pd.DataFrame([_row(name, reports / name) for name in models], columns=list(COLUMNS))
    rows["order"] = rows["dataset"].map({name: place for place, name in enumerate(rows["dataset"].unique())})
    rows = rows.sort_values(["order", "accuracy", "model"], ascending=[True, False, True], ignore_index=True)
    return rows.drop(columns="order")


def _row(name: str, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name}
    for file, keys in (("metrics.json", (*FROM_METRICS, *MORE_METRICS, "seeds")), ("train.json", FROM_TRAIN)):
        figures = read_json(folder / file)
        if lacking := [key for key in keys if key not in figures]:
            raise Refusal(f"{folder / file} lacks {', '.join(lacking)}; `dvc repro -f evaluate@{name}` makes it again")
        row |= {key: figures[key] for key in keys} | {key: figures[key] for key in OVER_SEEDS if key in figures}
    return row


def warnings(table: pd.DataFrame, facts: dict[str, dict[str, Any]]) -> list[str]:
    """What a reader must know before the figures, one sentence each.

    Args:
        table: of `leaderboard`.
        facts: `data.json` by model.
    """
    stand_ins = ", ".join(table.loc[table["provenance"] == "stand-in", "dataset"].unique())
    real = "the figures are from stand-in data, not from the real ones; compare them with nothing published."
    lines = [f"{stand_ins}: {real}"] if stand_ins else []
    by_dataset = table.drop_duplicates("dataset").set_index("dataset")["model"]
    lines += [
        f"{dataset}: the test text is the training text itself, so the figures say how well it was learnt by heart."
        for dataset, name in by_dataset.items()
        if "test" in facts[name]["not_held_out"]
    ]
    if free := ", ".join(table.loc[~table["deterministic"].astype(bool), "model"]):
        lines.append(f"{free}: trained with `deterministic: false`; trained again, the figures may be others.")
    return lines + [
        f"{name}: its backbone {facts[name]['backbone']['name']} has random weights, not pretrained ones."
        for name in table["model"]
        if random_weights(facts[name])
    ]


def _readable(table: pd.DataFrame, against: Mapping[str, str]) -> list[tuple[str, ...]]:
    ranks = table.groupby("dataset", sort=False).cumcount() + 1
    return [_readable_row(rank, row, against[row["model"]]) for rank, row in zip(ranks, records(table), strict=True)]


def _readable_row(rank: int, row: dict[str, Any], against: str) -> tuple[str, ...]:
    return (
        str(rank),
        row["model"],
        row["dataset"],
        _data(row),
        f"{row['accuracy']:.2%}",
        f"{row['accuracy_low']:.2%} to {row['accuracy_high']:.2%}",
        against,
        _over_seeds(row),
        f"{row['parameters']:,}",
        str(row["epochs"]),
        row["device"],
    )


def _over_seeds(row: dict[str, Any]) -> str:
    """The mean accuracy of a model's trainings; an em dash where there is one."""
    if row["seeds"] == 1:
        return "—"
    mean, _, low, high = (f"{row[key]:.2%}" for key in OVER_SEEDS)
    return f"{mean} ({low} to {high}, {row['seeds']} seeds)"


def _data(row: dict[str, Any]) -> str:
    """Where the images come from, and how many made ones joined those that were learnt from."""
    status = "STAND-IN" if row["provenance"] == "stand-in" else str(row["provenance"])
    return status + (f" + {row['synthetic_images']:,} synthetic" if row["synthetic_images"] else "")


def as_markdown(table: pd.DataFrame, against: Mapping[str, str], notes: Sequence[str], missing: Sequence[str]) -> str:
    """The leaderboard as a Markdown page: the notes first, then the table, then what is not in it.

    Args:
        table: of `leaderboard`.
        against: by model, of `comparisons.against_best`.
        notes: warnings.
        missing: models that are not evaluated.
    """
    lines = ["# Leaderboard", ""]
    lines += [part for note in notes for part in (f"> **Warning.** {note}", "")]
    lines += [_line(_READABLE), _line(":--" if column in _WORDS else "--:" for column in _READABLE)]
    lines += [_line(row) for row in _readable(table, against)]
    lines += ["", f"Accuracy on the test set with its 95 % Wilson interval, ranked within each data set. {_TOLD}"]
    if missing:
        lines += ["", f"Not evaluated yet: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def _line(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def for_terminal(table: pd.DataFrame, against: Mapping[str, str]) -> str:
    """The leaderboard in aligned columns, an empty line above each data set; arguments as of `as_markdown`."""
    rows = [_READABLE, *_readable(table, against)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_READABLE))]
    return "\n".join(("\n" if row[0] == "1" else "") + _aligned(row, widths) for row in rows)


def _aligned(row: Sequence[str], widths: Sequence[int]) -> str:
    columns = zip(_READABLE, row, widths, strict=True)
    cells = (cell.ljust(width) if column in _WORDS else cell.rjust(width) for column, cell, width in columns)
    return "  ".join(cells).rstrip()
