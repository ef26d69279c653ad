"""`vision champion`: the model of each data set that is the one to serve, in MLflow's registry."""

from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stages.params import load
from stages.project.console import Refusal, say, warn
from stages.project.files import read_json
from stages.project.locks import exclusive
from stages.project.paths import MODEL_REPORTS, model_report

if TYPE_CHECKING:
    from stages.params.schema import Champion
    from stages.tracking.registry import Exported, Version
    from stages.tracking.store import Store


def champion(
    new_classes: Annotated[
        bool, typer.Option("--new-classes", help="Let one with other classes than the champion's take over, too.")
    ] = False,
) -> None:
    """Make the best exported model of each data set a version in MLflow's registry, and the champion if it has won.

    `mlflow.champion` in params.yaml has the rule: the alias moves only to a model that is told apart from the present
    champion on the same test items (McNemar's exact test, with Holm's correction). Clients know the classes by their
    order: one with others, or in another order, takes over with --new-classes only.
    """
    from stages.evaluation.leaderboard import evaluated, leaderboard
    from stages.evaluation.tables import records
    from stages.tracking.store import answering, open_or_refuse

    models, settings = load("models", "mlflow")
    rows = records(leaderboard(evaluated(models, MODEL_REPORTS)[0], MODEL_REPORTS))
    if not rows:
        say("No model is evaluated yet; `dvc repro` evaluates and exports them all.")
    with exclusive("champion", "chooses the champions"):
        store = open_or_refuse()
        for dataset in dict.fromkeys(row["dataset"] for row in rows):
            board = [row for row in rows if row["dataset"] == dataset]
            with answering(store, f"the champion of {dataset} was not chosen"):
                say(f"{dataset}: {_chosen(store, dataset, board, settings.champion, new_classes)}")


def _chosen(store: "Store", dataset: str, board: list[dict[str, Any]], rule: "Champion", new_classes: bool) -> str:
    """Register the best of a data set's models, move the alias if it has won, and say what became of it."""
    from stages.tracking.classes import digest_tag, other_classes
    from stages.tracking.registry import champion, crown, version

    allowed = [row for row in board if row["provenance"] in rule.provenance]
    if not allowed:
        found = " and ".join(sorted({row["provenance"] for row in board}))
        return f"no champion by {found} data, which mlflow.champion.provenance in params.yaml does not name"
    best = _best_exported(store, allowed)
    if best is None:
        return "no champion, for none of its models is in MLflow"
    row, model = best
    present = champion(store, dataset)
    _look_for_files(store, row["model"], model, present)
    tags = _tags(row, model) | digest_tag(store, model.model_id)
    challenger = version(store, dataset, model, tags, f"{row['model']}, {_accuracy(row)}")
    if present == challenger:
        return f"{present} is the champion, {_accuracy(row)}"
    wins, why = _verdict(store, board, present, challenger, rule.told_apart)
    if wins and present and not new_classes and (others := other_classes(store, present, challenger)):
        wins, why = False, f"{others}; `vision champion --new-classes` lets it take over"
    if wins:
        crown(store, dataset, challenger)
        return f"{challenger} becomes the champion, {_accuracy(row)}: {why}"
    return f"{present} stays the champion; {challenger}: {why}"


def _look_for_files(store: "Store", challenger: str, model: "Exported", present: "Version | None") -> None:
    """Warn of a present champion whose files are gone.

    Raises:
        Refusal: the challenger's are; what cannot be loaded is no champion.
    """
    from stages.tracking.registry import has_files

    if present and present.model_id and present.model_id != model.model_id and not has_files(store, present.model_id):
        warn(
            f"the files of {present}, which is the champion, are gone, and it cannot be served; "
            "`vision sync` logs them again where its training is here"
        )
    if not has_files(store, model.model_id):
        raise Refusal(
            f"the files of {challenger}'s exported model {model.model_id} are gone from MLflow, and what cannot be "
            "loaded is no champion; `vision sync` logs them again"
        )


def _best_exported(store: "Store", board: list[dict[str, Any]]) -> "tuple[dict[str, Any], Exported] | None":
    from stages.tracking.registry import exported

    for row in board:
        if model := exported(store, _key(row["model"])):
            return row, model
        name = row["model"]
        warn(f"{name} is passed over: MLflow has no exported model of it; `dvc repro -f -s export@{name}` logs one")
    return None


def _verdict(
    store: "Store", board: list[dict[str, Any]], present: "Version | None", challenger: "Version", told_apart: bool
) -> tuple[bool, str]:
    """Whether the challenger takes over, and why."""
    from stages.evaluation.challenge import challenge
    from stages.evaluation.comparisons import pairs, predictions
    from stages.evaluation.tables import read_words
    from stages.tracking.registry import predictions_csv

    if present is None:
        return True, "there was none"
    if present.key == challenger.key:
        return True, f"the same training as {present}, exported again"
    names = {_key(row["model"]): row["model"] for row in board}
    tested = predictions(names.values(), MODEL_REPORTS)
    if present.key not in names:  # an earlier training: its run kept what it made of the test set
        tested[str(present)] = read_words(BytesIO(predictions_csv(store, present)))
    rows = pairs(challenger.model, tested)
    found = challenge(rows, challenger.model, names.get(present.key, str(present)), told_apart)
    return found or (True, f"{present} was tested on other items, so the two cannot be compared")


def _key(model: str) -> str:
    return str(read_json(model_report(model) / "train.json")["key"])


def _tags(row: dict[str, Any], model: "Exported") -> dict[str, str]:
    figures = {key: f"{row[key]:.6f}" for key in ("accuracy", "accuracy_low", "accuracy_high")}
    tags = {"model": row["model"], "provenance": row["provenance"], "pipeline.key": _key(row["model"]), **figures}
    return tags | ({"git.commit": model.commit} if model.commit else {})


def _accuracy(row: dict[str, Any]) -> str:
    return f"{row['accuracy']:.2%} ({row['accuracy_low']:.2%} to {row['accuracy_high']:.2%})"
