"""A test of a model, as its MLflow run and those of its further seeds have it."""

from collections.abc import Sequence
from typing import Any

from stages.project.paths import model_report
from stages.tracking.records import evaluation, evaluation_of_seed
from stages.tracking.runs import attach, attach_seed


def log_test(name: str, settings: dict[str, Any], by_seed: Sequence[dict[str, Any]]) -> None:
    """Log what `evaluate` has written of a model.

    Args:
        name: of the model.
        settings: that it was tested with.
        by_seed: of each further seed, its number and its figures.
    """
    with attach(name) as run:
        run.record(evaluation(model_report(name), settings))
    for found in by_seed:
        with attach_seed(name, found["seed"], run) as child:
            child.record(evaluation_of_seed(found))
