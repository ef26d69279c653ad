"""`vision champion`: the model to serve for each data set, in MLflow's registry."""

from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any

import typer

from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import ArtifactError
from vision_pipeline.core.files import read_json
from vision_pipeline.core.locks import file_lock
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import MODEL_REPORTS, model_report_dir

if TYPE_CHECKING:
    from vision_pipeline.config.schema import ChampionConfig
    from vision_pipeline.tracking.registry import LoggedModel, ModelVersion
    from vision_pipeline.tracking.store import Store


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
    from vision_pipeline.evaluation.leaderboard import build_leaderboard, split_evaluated
    from vision_pipeline.evaluation.tables import table_to_records
    from vision_pipeline.tracking.store import require_store, store_errors

    models, settings = load_params("models", "mlflow")
    rows = table_to_records(build_leaderboard(split_evaluated(models, MODEL_REPORTS)[0], MODEL_REPORTS))
    if not rows:
        typer.echo("No model is evaluated yet; `dvc repro` evaluates and exports them all.")
    with file_lock("champion", "chooses the champions"):
        store = require_store()
        for dataset in dict.fromkeys(row["dataset"] for row in rows):
            board = [row for row in rows if row["dataset"] == dataset]
            with store_errors(store, f"the champion of {dataset} was not chosen"):
                outcome = _choose_champion(store, dataset, board, rule=settings.champion, new_classes=new_classes)
                typer.echo(f"{dataset}: {outcome}")


def _choose_champion(
    store: "Store", dataset: str, board: list[dict[str, Any]], *, rule: "ChampionConfig", new_classes: bool
) -> str:
    """Register the best of a data set's models, move the alias if it has won, and return a line of the outcome.

    Args:
        store: open store.
        dataset: name of the data set.
        board: rows of its leaderboard, best first.
        rule: the section `mlflow.champion`.
        new_classes: whether a model with other classes than the champion's may take over.
    """
    from vision_pipeline.tracking.registry import (
        class_digest_tag,
        describe_class_changes,
        get_champion,
        get_or_create_version,
        set_champion,
    )

    allowed = [row for row in board if row["provenance"] in rule.provenance]
    if not allowed:
        provenances = " and ".join(sorted({row["provenance"] for row in board}))
        return f"no champion by {provenances} data, which mlflow.champion.provenance in params.yaml does not name"
    best = _find_best_exported(store, allowed)
    if best is None:
        return "no champion, for none of its models is in MLflow"
    row, model = best
    current = get_champion(store, dataset)
    _check_files(store, row["model"], model, current)
    tags = _make_version_tags(row, model) | class_digest_tag(store, model.model_id)
    description = f"{row['model']}, {_format_accuracy(row)}"
    challenger = get_or_create_version(store, dataset, model, tags=tags, description=description)
    if current == challenger:
        return f"{current} is the champion, {_format_accuracy(row)}"
    wins, reason = _compare_with_champion(
        store, board, current=current, challenger=challenger, require_significance=rule.told_apart
    )
    if wins and current and not new_classes and (class_changes := describe_class_changes(store, current, challenger)):
        wins, reason = False, f"{class_changes}; `vision champion --new-classes` lets it take over"
    if wins:
        set_champion(store, dataset, challenger)
        return f"{challenger} becomes the champion, {_format_accuracy(row)}: {reason}"
    return f"{current} stays the champion; {challenger}: {reason}"


def _check_files(store: "Store", challenger: str, model: "LoggedModel", current: "ModelVersion | None") -> None:
    """Warn of a present champion whose files are gone.

    Raises:
        ArtifactError: the challenger's files are gone; what cannot be loaded cannot become champion.
    """
    from vision_pipeline.tracking.registry import has_files

    if current and current.model_id and current.model_id != model.model_id and not has_files(store, current.model_id):
        logger.warning(
            f"the files of {current}, which is the champion, are gone, and it cannot be served; "
            "`vision sync` logs them again where its training is here"
        )
    if not has_files(store, model.model_id):
        raise ArtifactError(
            f"the files of {challenger}'s exported model {model.model_id} are gone from MLflow, and what cannot be "
            "loaded is no champion; `vision sync` logs them again"
        )


def _find_best_exported(store: "Store", board: list[dict[str, Any]]) -> "tuple[dict[str, Any], LoggedModel] | None":
    """Return the best row whose model MLflow has, and that model; warn of each row passed over."""
    from vision_pipeline.tracking.registry import latest_exported

    for row in board:
        if model := latest_exported(store, _read_training_key(row["model"])):
            return row, model
        name = row["model"]
        logger.warning(
            f"{name} is passed over: MLflow has no exported model of it; `dvc repro -f -s export@{name}` logs one"
        )
    return None


def _compare_with_champion(
    store: "Store",
    board: list[dict[str, Any]],
    *,
    current: "ModelVersion | None",
    challenger: "ModelVersion",
    require_significance: bool,
) -> tuple[bool, str]:
    """Return whether the challenger takes over, and why."""
    from vision_pipeline.evaluation.significance import compare_pairs, load_predictions, should_promote
    from vision_pipeline.evaluation.tables import read_csv_str
    from vision_pipeline.tracking.registry import download_predictions

    if current is None:
        return True, "there was none"
    if current.key == challenger.key:
        return True, f"the same training as {current}, exported again"
    names = {_read_training_key(row["model"]): row["model"] for row in board}
    predictions = load_predictions(names.values(), MODEL_REPORTS)
    if current.key not in names:  # an earlier training: its run has its predictions
        predictions[str(current)] = read_csv_str(BytesIO(download_predictions(store, current)))
    rows = compare_pairs(challenger.model, predictions)
    outcome = should_promote(rows, challenger.model, names.get(current.key, str(current)), require_significance)
    return outcome or (True, f"{current} was tested on other items, so the two cannot be compared")


def _read_training_key(model: str) -> str:
    return str(read_json(model_report_dir(model) / "train.json")["key"])


def _make_version_tags(row: dict[str, Any], model: "LoggedModel") -> dict[str, str]:
    metric_tags = {key: f"{row[key]:.6f}" for key in ("accuracy", "accuracy_low", "accuracy_high")}
    tags = {
        "model": row["model"],
        "provenance": row["provenance"],
        "pipeline.key": _read_training_key(row["model"]),
        **metric_tags,
    }
    return tags | ({"git.commit": model.commit} if model.commit else {})


def _format_accuracy(row: dict[str, Any]) -> str:
    return f"{row['accuracy']:.2%} ({row['accuracy_low']:.2%} to {row['accuracy_high']:.2%})"
