"""Evaluate a model on its test set: figures, tables and pictures in reports/models/MODEL.

A stage of dvc.yaml: `dvc repro evaluate@MODEL`. The test set is touched here and nowhere before.
"""

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from stages.datasets.format import PreparedSet, open_set
from stages.evaluation.facts import data_facts
from stages.evaluation.metrics import figures_of, score, summary
from stages.evaluation.model_report import evaluated, write_pictures, write_tables
from stages.evaluation.seeds import over_seeds, seeds_table
from stages.evaluation.tables import read_words, write_table
from stages.params import load
from stages.project.console import Refusal, say
from stages.project.door import open_door
from stages.project.files import read_json, write_json
from stages.project.paths import DATA, MODELS, PREPARED, model_report, resume_folder, seed_folders

if TYPE_CHECKING:
    import pandas as pd

    from stages.compute.device import Machine
    from stages.models.checkpoint import Checkpoint


def main(name: str) -> None:
    """Write reports/models/NAME/: metrics.json, data.json, the tables and the pictures; log them to MLflow."""
    device, threads, settings, dataset, inputs = load(
        "device", "threads", "evaluate", f"models.{name}.dataset", f"models.{name}.inputs"
    )
    from stages.compute.device import set_up
    from stages.models.checkpoint import load_checkpoint
    from stages.models.layer_report import write_layer_report
    from stages.models.scoring import logits_of
    from stages.tracking.records import evaluation, evaluation_of_seed
    from stages.tracking.runs import attach, attach_seed

    machine = set_up(device, "fp32", threads, convolutions=False)
    given, pictured = open_set(DATA / inputs), open_set(PREPARED / dataset)
    checkpoint = load_checkpoint(MODELS / name / "checkpoint.pth")
    _check(checkpoint, given, pictured)
    _forget(checkpoint)
    features, kind = given.about.kind == "features", pictured.about.kind
    views = [settings.tta[dataset]] if given.about.kind == "images" and dataset in settings.tta else []
    scores, *averaged = (
        score(logits_of(checkpoint, given.inputs("test"), features, machine, over), given.targets("test"))
        for over in ("", *views)
    )
    others = seed_folders(name)
    by_seed = [_summary(folder, given, machine, settings.bins) for folder in others]
    words = _rows(pictured)
    tested = evaluated(scores, checkpoint.class_names, pictured.inputs("test"), kind, words)

    folder = model_report(name)
    train, figures = read_json(folder / "train.json"), figures_of(scores, averaged, kind, settings.bins)
    about = {"dataset": dataset, "provenance": given.about.provenance["status"], "device": str(machine.device)}
    sizes = {key: train[key] for key in ("parameters", "trainable_parameters")}
    seeds = seeds_table([train | figures, *by_seed])
    write_json(folder / "metrics.json", figures | over_seeds(seeds) | sizes | about)
    write_table(folder / "seeds.csv", seeds)
    backbone, rejects = (
        checkpoint.provenance.get("backbone"),
        read_words(pictured.folder / "rejects.csv", ["file", "reason"]),
    )
    write_json(folder / "data.json", data_facts(asdict(pictured.about), pictured.about.unit, rejects, backbone))
    write_tables(folder, tested, settings.bins)
    write_pictures(folder, tested, settings.bins, settings.worst, train["best_epoch"], others)
    write_layer_report(folder, checkpoint, given.folder, pictured.about.shape)
    low, high, unit = figures["accuracy_low"], figures["accuracy_high"], pictured.about.unit
    say(f"{name}: {figures['accuracy']:.2%} of {figures['images']:,} test {unit} right ({low:.2%} to {high:.2%})")

    with attach(name) as run:
        run.record(evaluation(folder, settings.model_dump()))
    for found in by_seed:
        with attach_seed(name, found["seed"], run) as child:
            child.record(evaluation_of_seed(found))


def _summary(folder: Path, given: PreparedSet, machine: "Machine", bins: int) -> dict[str, Any]:
    """Of a training with one more seed, its `train.json` and its figures on the test set."""
    from stages.models.checkpoint import load_checkpoint
    from stages.models.scoring import logits_of

    checkpoint = load_checkpoint(folder / "checkpoint.pth")
    _forget(checkpoint)
    logits = logits_of(checkpoint, given.inputs("test"), given.about.kind == "features", machine, "")
    figures = summary(score(logits, given.targets("test")), bins)
    return read_json(folder / "train.json") | figures


def _rows(pictured: PreparedSet) -> "pd.DataFrame":
    """Hash and name of each row of the test split; a text is one row."""
    path = pictured.folder / "test/rows.csv"
    rows = read_words(path, ["hash", "name"])
    count = 1 if pictured.about.kind == "text" else len(pictured.targets("test"))
    if len(rows) != count:
        raise Refusal(f"{path} has {len(rows)} rows, not {count}; `dvc repro` makes it again once it is deleted")
    return rows


def _forget(checkpoint: "Checkpoint") -> None:
    """Delete the training's state: DVC has taken note of it, or it would not test the model; nothing will go on."""
    shutil.rmtree(resume_folder(checkpoint.training["key"]), ignore_errors=True)


def _check(checkpoint: "Checkpoint", given: PreparedSet, pictured: PreparedSet) -> None:
    name = checkpoint.name
    if (checkpoint.input_shape, checkpoint.class_names) != (given.about.shape, given.about.class_names):
        raise Refusal(f"{MODELS / name} was trained on other data than {given.folder}; `dvc repro train@{name}`")
    if not np.array_equal(given.targets("test"), pictured.targets("test")):
        raise Refusal(f"the test rows of {given.folder} are not those of {pictured.folder}; `dvc repro` remakes them")
    if len(given.targets("test")) == 0:
        raise Refusal(f"{given.folder} has no test images; raise `prepare.test` of the data set in params.yaml")


if __name__ == "__main__":
    open_door(main, __doc__ or "", "model of params.yaml")
