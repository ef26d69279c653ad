"""Evaluate a model on its test set: figures, tables and pictures in reports/models/MODEL.

A stage of dvc.yaml: `dvc repro evaluate@MODEL`. The test set is touched here and nowhere before.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stages.datasets.format import PreparedSet, check_same_test, open_set
from stages.evaluation.facts import data_facts
from stages.evaluation.metrics import Scores, figures_of, score, summary
from stages.evaluation.model_report import evaluated, write_figures, write_pictures, write_tables
from stages.evaluation.tables import read_rows, read_words
from stages.params import load
from stages.project.console import Refusal, say
from stages.project.door import open_door
from stages.project.files import read_json, write_json
from stages.project.paths import DATA, MODELS, PREPARED, forget_training, model_report, seed_folders

if TYPE_CHECKING:
    from stages.compute.device import Machine
    from stages.models.checkpoint import Checkpoint


def main(name: str) -> None:
    """Write reports/models/NAME/: metrics.json, data.json, the tables and the pictures; log them to MLflow."""
    device, threads, deterministic, settings, dataset, inputs = load(
        "device", "threads", "deterministic", "evaluate", f"models.{name}.dataset", f"models.{name}.inputs"
    )
    from stages.compute.device import set_up
    from stages.models.layer_report import write_layer_report
    from stages.tracking.testing import log_test

    machine = set_up(device, "fp32", threads, convolutions=False, deterministic=deterministic)
    given, pictured = open_set(DATA / inputs), open_set(PREPARED / dataset)
    check_same_test(given, pictured)
    views = [settings.tta[dataset]] if given.about.kind == "images" and dataset in settings.tta else []
    checkpoint, (scores, *averaged) = _tested(MODELS / name, given, machine, views)
    others = seed_folders(name)
    by_seed = [_figures(folder, given, machine, settings.bins) for folder in others]
    kind, unit, folder = pictured.about.kind, pictured.about.unit, model_report(name)
    rows = read_rows(pictured.folder / "test/rows.csv", 1 if kind == "text" else len(scores.targets))
    tested = evaluated(scores, checkpoint.class_names, pictured.inputs("test"), kind, rows)

    train, figures = read_json(folder / "train.json"), figures_of(scores, averaged, kind, settings.bins)
    about = {"dataset": dataset, "provenance": given.about.provenance["status"], "device": str(machine.device)}
    write_figures(folder, figures, train, by_seed, about)
    rejects = read_words(pictured.folder / "rejects.csv", ["file", "reason"])
    facts = data_facts(asdict(pictured.about), unit, rejects, checkpoint.provenance.get("backbone"))
    write_json(folder / "data.json", facts)
    write_tables(folder, tested, settings.bins)
    write_pictures(folder, tested, settings.bins, settings.worst, train["best_epoch"], others)
    write_layer_report(folder, checkpoint, given.folder, pictured.about.shape)
    low, high = figures["accuracy_low"], figures["accuracy_high"]
    say(f"{name}: {figures['accuracy']:.2%} of {figures['images']:,} test {unit} right ({low:.2%} to {high:.2%})")
    log_test(name, settings.model_dump(), by_seed)


def _tested(
    folder: Path, given: PreparedSet, machine: "Machine", views: Sequence[str] = ()
) -> tuple["Checkpoint", list[Scores]]:
    """A checkpoint and its scores on the test set, then those averaged over each kind of `views`."""
    from stages.models.checkpoint import load_checkpoint
    from stages.models.scoring import logits_of

    checkpoint = load_checkpoint(folder / "checkpoint.pth")
    if (checkpoint.input_shape, checkpoint.class_names) != (given.about.shape, given.about.class_names):
        name = checkpoint.name
        raise Refusal(f"{MODELS / name} was trained on other data than {given.folder}; `dvc repro train@{name}`")
    # DVC has taken note of the training, or it would not test the model
    forget_training(checkpoint.training["key"])
    inputs, features = given.inputs("test"), given.about.kind == "features"
    logits = (logits_of(checkpoint, inputs, features, machine, over) for over in ("", *views))
    return checkpoint, [score(each, given.targets("test")) for each in logits]


def _figures(folder: Path, given: PreparedSet, machine: "Machine", bins: int) -> dict[str, Any]:
    """Of a training with one more seed, its `train.json` and its figures on the test set."""
    _, (scores,) = _tested(folder, given, machine)
    return dict(read_json(folder / "train.json")) | summary(scores, bins)


if __name__ == "__main__":
    open_door(main, __doc__ or "", "model of params.yaml")
