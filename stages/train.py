"""Train a model of params.yaml, on the GPU when there is one; writes models/MODEL and its training report."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stages.augmentation.policy import read_policy
from stages.compute.device import Machine, set_up
from stages.datasets.format import Description, PreparedSet, open_set
from stages.models.build import build, count_parameters, fit_to_data
from stages.models.checkpoint import Checkpoint, save_checkpoint
from stages.models.start import Start
from stages.params import load
from stages.params.schema import AnyModel, AnyTrain, Lbfgs
from stages.project.console import say
from stages.project.door import open_door
from stages.project.files import read_json, replacing_folder, write_json
from stages.project.key import code_digest, run_key
from stages.project.locks import exclusive
from stages.project.paths import AUGMENTED, DATA, MODELS, WEIGHTS, model_report, resume_folder
from stages.project.stopping import stop_flag
from stages.project.versions import versions
from stages.tracking.runs import train_run
from stages.training.batches import Rows
from stages.training.history import Epoch, write_history
from stages.training.inputs import FeatureInputs, ImageInputs, class_weights
from stages.training.lbfgs import fit_regression
from stages.training.loop import Outcome, Task, fit
from stages.training.resume import Keeper
from stages.training.summary import summary

_CONVOLUTIONAL = ("cnn", "speednet", "finetune")


def main(name: str) -> None:
    """Train the model `name`."""
    seed, device, precision, threads, model = load("seed", "device", "precision", "threads", f"models.{name}")
    if isinstance(model.train, Lbfgs):
        precision = "fp32"  # a search along a line needs it
    machine = set_up(device, precision, threads, convolutions=model.architecture in _CONVOLUTIONAL)
    folder, policy = DATA / model.inputs, AUGMENTED / model.augmentation / "policy.json"
    data, start = open_set(folder), Start(WEIGHTS / model.weights)
    task = _task(name, model, data, policy, start, machine.device, seed)

    settings = {"name": name, "seed": seed, "model": model.model_dump(), **machine.facts()}
    code = code_digest()
    key = run_key(settings, [folder / "dataset.json", policy, *start.files()], code)
    origin = {"dataset": model.dataset, "provenance": data.about.provenance["status"]}
    facts = {"key": key, "code": code, **origin, **machine.facts()}
    state = resume_folder(key)
    with (
        exclusive(f"train-{key}", f"trains {name}"),
        stop_flag() as stop,
        train_run(name, settings, folder, facts, again=state.exists()) as run,
    ):
        keeper = Keeper(state, stop)
        outcome = _trained(task, model.train, machine, lambda epoch: run.epoch(epoch.epoch, epoch.metrics()), keeper)
        parameters, trainable = count_parameters(task.network)
        report = facts | summary(outcome, parameters + _frozen(folder), trainable)
        _write_model(name, model, data.about, start, outcome.weights, {"seed": seed, "settings": settings, **report})
        write_json(model_report(name) / "train.json", report)
        write_history(model_report(name) / "history.csv", outcome.history)
        run.artifacts(model_report(name) / "history.csv", model_report(name) / "train.json")
    say(f"{name}: validation accuracy {report['val_accuracy']:.2%} in epoch {report['best_epoch']}")


def _task(
    name: str, model: AnyModel, data: PreparedSet, policy: Path, start: Start, device: torch.device, seed: int
) -> Task:
    """The network on its device, the data and what becomes of a batch."""
    torch.manual_seed(seed)
    network = build(model.architecture, start.settings(model), data.about.shape, len(data.about.class_names))
    start.load_into(network)
    scale = start.scale(model.normalize, data.about.mean, data.about.std)
    if data.about.kind == "images":
        inputs: Any = ImageInputs(read_policy(policy).apply, **scale, seed=seed, device=device)
        network = network.to(memory_format=torch.channels_last)
    else:
        inputs = FeatureInputs(**scale, device=device)
    train, val = (Rows(data.inputs(split), data.targets(split), device) for split in ("train", "val"))
    network = network.to(device)
    fit_to_data(network, lambda count: inputs.to_val(train.take(torch.arange(min(count, len(train))))[0]))
    weights = class_weights(list(data.about.counts["train"].values()), model.train.class_weights, device)
    return Task(name, network, train, val, inputs.to_train, inputs.to_val, weights, seed)


def _trained(
    task: Task, settings: AnyTrain, machine: Machine, after_epoch: Callable[[Epoch], None], keeper: Keeper
) -> Outcome:
    if isinstance(settings, Lbfgs):
        return fit_regression(task, settings, machine, after_epoch, keeper)
    return fit(task, settings, machine, after_epoch, keeper)


def _frozen(folder: Path) -> int:
    """Parameters of the backbone that the features came from."""
    backbone = folder / "backbone.json"
    return int(read_json(backbone)["parameters"]) if backbone.exists() else 0


def _write_model(
    name: str, model: AnyModel, about: Description, start: Start, weights: dict[str, Tensor], training: dict[str, Any]
) -> None:
    checkpoint = Checkpoint(
        name=name,
        architecture=model.architecture,
        settings=start.settings(model),
        input_shape=about.shape,
        class_names=about.class_names,
        normalize=start.scale(model.normalize, about.mean, about.std),
        backbone=None,
        state_dict=weights,
        provenance=start.provenance(about.provenance),
        training=training,
        versions=versions(),
        metrics={},
    )
    with replacing_folder(MODELS / name) as folder:
        save_checkpoint(folder / "checkpoint.pth", checkpoint)
        write_json(folder / "training.json", {"key": training["key"], "settings": training["settings"]})


if __name__ == "__main__":
    open_door(main, __doc__, "a model of params.yaml")
