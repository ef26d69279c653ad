"""The leaderboard: all models in one table, written as CSV, as Markdown and for the terminal."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json
from vision_pipeline.evaluation.tables import has_random_backbone, table_to_records

# Other tools read the first seven columns by position.
FROM_METRICS = ("dataset", "provenance", "accuracy", "accuracy_low", "accuracy_high", "parameters")
MORE_METRICS = ("loss", "ece", "macro_f1")
FROM_TRAIN = ("device", "precision", "deterministic", "epochs", "trainable_parameters", "synthetic_images")
SEED_METRICS = ("accuracy_mean", "accuracy_mean_sd", "accuracy_mean_low", "accuracy_mean_high")  # only of several seeds
LEADERBOARD_COLUMNS = ("model", *FROM_METRICS, *MORE_METRICS, *FROM_TRAIN, "seeds", *SEED_METRICS)

_HEADERS = (
    "Rank", "Model", "Data set", "Data", "Accuracy", "95 % interval", "Points to the best", "Mean over seeds",
    "Parameters", "Epochs", "Device",
)  # fmt: skip
_LEFT_ALIGNED = {"Model", "Data set", "Data", "Points to the best", "Mean over seeds", "Device"}
_LEGEND = (
    "Points to the best: the difference in percent points with its 95 % interval (Agresti and Min), on the same test "
    "items. Not told apart: by McNemar's exact test, with Holm's correction for all pairs of a data set, p is 0.05 or "
    "more. Mean over seeds: of trainings that differ in nothing else, with its 95 % interval (Student's t)."
)


def split_evaluated(models: Iterable[str], reports: Path) -> tuple[list[str], list[str]]:
    """Split models into those that have been evaluated and those that have not, in their order."""
    models = list(models)
    evaluated = [name for name in models if (reports / name / "metrics.json").is_file()]
    return evaluated, [name for name in models if name not in evaluated]


def build_leaderboard(models: Sequence[str], reports: Path) -> pd.DataFrame:
    """Return one row of `LEADERBOARD_COLUMNS` per model, ranked by accuracy within each data set.

    Args:
        models: names of evaluated models; the data sets are in the order in which these first use them.
        reports: folder of the models' reports.

    Raises:
        UserError: a report is missing or not valid JSON.
        ArtifactError: it lacks a value.
    """
    rows = pd.DataFrame([_read_row(name, reports / name) for name in models], columns=list(LEADERBOARD_COLUMNS))
    rows["order"] = rows["dataset"].map({name: index for index, name in enumerate(rows["dataset"].unique())})
    rows = rows.sort_values(["order", "accuracy", "model"], ascending=[True, False, True], ignore_index=True)
    return rows.drop(columns="order")


def _read_row(name: str, folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = {"model": name}
    for file, keys in (("metrics.json", (*FROM_METRICS, *MORE_METRICS, "seeds")), ("train.json", FROM_TRAIN)):
        report = read_json(folder / file)
        if missing_keys := [key for key in keys if key not in report]:
            raise ArtifactError(
                f"{folder / file} lacks {', '.join(missing_keys)}; `dvc repro -f evaluate@{name}` makes it again"
            )
        row |= {key: report[key] for key in keys} | {key: report[key] for key in SEED_METRICS if key in report}
    return row


def caveats(table: pd.DataFrame, summaries: dict[str, dict[str, Any]]) -> list[str]:
    """Return what a reader must know before the results, one sentence each.

    Args:
        table: the result of `build_leaderboard`.
        summaries: `data.json` by model.
    """
    stand_ins = ", ".join(table.loc[table["provenance"] == "stand-in", "dataset"].unique())
    stand_in_caveat = "the figures are from stand-in data, not from the real ones; compare them with nothing published."
    lines = [f"{stand_ins}: {stand_in_caveat}"] if stand_ins else []
    by_dataset = table.drop_duplicates("dataset").set_index("dataset")["model"]
    lines += [
        f"{dataset}: the test text is the training text itself, so the figures say how well it was learnt by heart."
        for dataset, name in by_dataset.items()
        if "test" in summaries[name]["not_held_out"]
    ]
    if nondeterministic := ", ".join(table.loc[~table["deterministic"].astype(bool), "model"]):
        lines.append(
            f"{nondeterministic}: trained with `deterministic: false`; trained again, the figures may be others."
        )
    return lines + [
        f"{name}: its backbone {summaries[name]['backbone']['name']} has random weights, not pretrained ones."
        for name in table["model"]
        if has_random_backbone(summaries[name])
    ]


def _format_rows(table: pd.DataFrame, gaps: Mapping[str, str]) -> list[tuple[str, ...]]:
    ranks = table.groupby("dataset", sort=False).cumcount() + 1
    return [
        _format_row(rank, row, gaps[row["model"]]) for rank, row in zip(ranks, table_to_records(table), strict=True)
    ]


def _format_row(rank: int, row: dict[str, Any], gap: str) -> tuple[str, ...]:
    return (
        str(rank),
        row["model"],
        row["dataset"],
        _format_data_source(row),
        f"{row['accuracy']:.2%}",
        f"{row['accuracy_low']:.2%} to {row['accuracy_high']:.2%}",
        gap,
        _format_seed_mean(row),
        f"{row['parameters']:,}",
        str(row["epochs"]),
        row["device"],
    )


def _format_seed_mean(row: dict[str, Any]) -> str:
    """Return the mean accuracy of a model's trainings with its interval; an em dash for one seed."""
    if row["seeds"] == 1:
        return "—"
    mean, _, low, high = (f"{row[key]:.2%}" for key in SEED_METRICS)
    return f"{mean} ({low} to {high}, {row['seeds']} seeds)"


def _format_data_source(row: dict[str, Any]) -> str:
    """Return the provenance of the data, and the number of synthetic images among the training images."""
    status = "STAND-IN" if row["provenance"] == "stand-in" else str(row["provenance"])
    return status + (f" + {row['synthetic_images']:,} synthetic" if row["synthetic_images"] else "")


def to_markdown(table: pd.DataFrame, gaps: Mapping[str, str], notes: Sequence[str], missing: Sequence[str]) -> str:
    """Return the leaderboard as a Markdown page: the warnings, the table, then the models that are not in it.

    Args:
        table: the result of `build_leaderboard`.
        gaps: the result of `gap_to_best`.
        notes: warnings, the result of `caveats`.
        missing: models that are not evaluated.
    """
    lines = ["# Leaderboard", ""]
    lines += [part for note in notes for part in (f"> **Warning.** {note}", "")]
    lines += [
        _format_markdown_row(_HEADERS),
        _format_markdown_row(":--" if column in _LEFT_ALIGNED else "--:" for column in _HEADERS),
    ]
    lines += [_format_markdown_row(row) for row in _format_rows(table, gaps)]
    lines += ["", f"Accuracy on the test set with its 95 % Wilson interval, ranked within each data set. {_LEGEND}"]
    if missing:
        lines += ["", f"Not evaluated yet: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


def _format_markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def to_text(table: pd.DataFrame, gaps: Mapping[str, str]) -> str:
    """Return the leaderboard in aligned columns, an empty line above each data set.

    Args:
        table: the result of `build_leaderboard`.
        gaps: the result of `gap_to_best`.
    """
    from tabulate import tabulate  # late: `vision champion` reads a leaderboard and prints none

    rows = [_HEADERS, *_format_rows(table, gaps)]
    alignments = ["left" if column in _LEFT_ALIGNED else "right" for column in _HEADERS]
    lines = tabulate(rows, tablefmt="plain", colalign=alignments, disable_numparse=True).split("\n")
    return "\n".join(("\n" if row[0] == "1" else "") + line.rstrip() for row, line in zip(rows, lines, strict=True))
