"""Evaluate a model on its test set: figures, tables and pictures in reports/models/MODEL.

A stage of dvc.yaml: `dvc repro evaluate@MODEL`. The test set is touched here and nowhere before.
"""

import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from stages.datasets.format import PreparedSet, open_set
from stages.evaluation.facts import data_facts
from stages.evaluation.metrics import Scores, bits_per_symbol, f1_by_class, score, summary
from stages.evaluation.model_report import PICTURES, TABLES, Evaluated, write_pictures, write_tables
from stages.evaluation.symbols import text_rows, visible
from stages.evaluation.tables import read_words, write_table
from stages.params import load
from stages.project.console import Refusal, say
from stages.project.door import open_door
from stages.project.files import read_json, write_json, write_text
from stages.project.paths import DATA, MODELS, PREPARED, model_report, resume_folder

if TYPE_CHECKING:
    from stages.compute.device import Machine
    from stages.models.checkpoint import Checkpoint

_SUMMARY = ("summary.csv", "summary.txt")


def main(name: str) -> None:
    """Write reports/models/NAME/: metrics.json, data.json, the tables and the pictures; log them to MLflow."""
    device, threads, settings, dataset, inputs = load(
        "device", "threads", "evaluate", f"models.{name}.dataset", f"models.{name}.inputs"
    )
    from stages.compute.device import set_up
    from stages.models.checkpoint import load_checkpoint
    from stages.tracking.runs import attach

    machine = set_up(device, "fp32", threads, convolutions=False)
    given, pictured = open_set(DATA / inputs), open_set(PREPARED / dataset)
    checkpoint = load_checkpoint(MODELS / name / "checkpoint.pth")
    _check(checkpoint, given, pictured)
    # DVC has taken note of the training, or it would not test the model: nothing will go on from there
    shutil.rmtree(resume_folder(checkpoint.training["key"]), ignore_errors=True)
    scores = score(_logits(checkpoint, given, machine), given.targets("test"))
    tested = _tested(scores, checkpoint.class_names, pictured)

    folder = model_report(name)
    train, figures = read_json(folder / "train.json"), summary(scores, settings.bins)
    if given.about.kind == "images" and (views := settings.tta.get(dataset)):
        with_views = summary(score(_logits(checkpoint, given, machine, views), given.targets("test")), settings.bins)
        figures |= {f"tta_{key}": with_views[key] for key in ("accuracy", "accuracy_low", "accuracy_high")}
    if given.about.kind == "text":
        figures["bits_per_character"] = bits_per_symbol(scores.loss)
    about = {"dataset": dataset, "provenance": given.about.provenance["status"], "device": str(machine.device)}
    sizes = {key: train[key] for key in ("parameters", "trainable_parameters")}
    write_json(folder / "metrics.json", figures | sizes | about)
    backbone, rejects = checkpoint.provenance.get("backbone"), read_words(pictured.folder / "rejects.csv")
    write_json(folder / "data.json", data_facts(asdict(pictured.about), pictured.about.unit, rejects, backbone))
    write_tables(folder, tested, settings.bins)
    write_pictures(folder, tested, settings.bins, settings.worst, train["best_epoch"])
    _write_summary(checkpoint, given, pictured)
    low, high, unit = figures["accuracy_low"], figures["accuracy_high"], pictured.about.unit
    say(f"{name}: {figures['accuracy']:.2%} of {figures['images']:,} test {unit} right ({low:.2%} to {high:.2%})")

    with attach(name) as run:
        by_class = f1_by_class(scores, checkpoint.class_names) if tested.kind != "text" else {}
        logged = figures | by_class  # of a text's many symbols most would get the same name
        run.metrics({f"test.{key}": float(value) for key, value in logged.items()})
        run.tags({f"evaluate.{key}": str(value) for key, value in settings.model_dump().items()})
        run.artifacts(*(folder / file for file in ("metrics.json", "data.json", *TABLES, *PICTURES)), folder="test")
        run.artifacts(*(folder / file for file in _SUMMARY))


def _check(checkpoint: "Checkpoint", given: PreparedSet, pictured: PreparedSet) -> None:
    name = checkpoint.name
    if (checkpoint.input_shape, checkpoint.class_names) != (given.about.shape, given.about.class_names):
        raise Refusal(f"{MODELS / name} was trained on other data than {given.folder}; `dvc repro train@{name}`")
    if not np.array_equal(given.targets("test"), pictured.targets("test")):
        raise Refusal(f"the test rows of {given.folder} are not those of {pictured.folder}; `dvc repro` remakes them")
    if len(given.targets("test")) == 0:
        raise Refusal(f"{given.folder} has no test images; raise `prepare.test` of the data set in params.yaml")


def _write_summary(checkpoint: "Checkpoint", given: PreparedSet, pictured: PreparedSet) -> None:
    """What the model is made of, from pixels on: a table for programs and a text for people."""
    from stages.models.anatomy import layers_of, one_input
    from stages.models.build import count_parameters
    from stages.models.layer_table import rows, text
    from stages.models.whole import whole

    network = whole(checkpoint, given.folder)
    layers = layers_of(network, one_input(network, pictured.about.shape))
    table, page = (model_report(checkpoint.name) / file for file in _SUMMARY)
    write_table(table, pd.DataFrame(rows(layers)))
    write_text(page, text(checkpoint.name, layers, count_parameters(network)[1]) + "\n")


def _tested(scores: Scores, class_names: list[str], data: PreparedSet) -> Evaluated:
    """The test split beside its scores, its classes by names that can be seen."""
    inputs = data.inputs("test")
    if data.about.kind != "text":
        rows = read_words(data.folder / "test/rows.csv")
        return Evaluated(scores, class_names, inputs, rows, data.about.kind)
    shown = [visible(name) for name in class_names]
    return Evaluated(scores, shown, inputs, text_rows(inputs, class_names), "text")


def _logits(checkpoint: "Checkpoint", given: PreparedSet, machine: "Machine", views: str = "") -> np.ndarray:
    """float32 (N, classes) of the test split, from pixels (averaged over `views`), symbols or standardised features."""
    from stages.compute.inference import outputs
    from stages.compute.views import Averaged
    from stages.models.checkpoint import from_stored, rebuild

    inputs, features = given.inputs("test"), given.about.kind == "features"
    if features:
        mean, std = (np.array(checkpoint.normalize[key], np.float32) for key in ("mean", "std"))
        inputs = (inputs.astype(np.float32) - mean) / std
    network = rebuild(checkpoint) if features else from_stored(checkpoint)
    network = Averaged(network, views) if views else network
    logits = outputs(network.to(machine.device), inputs, machine, what="evaluating").numpy()
    if not np.isfinite(logits).all():
        raise Refusal(f"{MODELS / checkpoint.name} gives scores that are not finite; train it with a lower lr")
    return logits


if __name__ == "__main__":
    open_door(main, __doc__ or "", "model of params.yaml")
