"""Train a model of params.yaml, on the GPUs when there are any; writes models/MODEL and its training report."""

from contextlib import nullcontext
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
from stages.params.models import AnyModel
from stages.params.training import AnyTrain, Lbfgs
from stages.project.console import say
from stages.project.door import open_door
from stages.project.files import replacing_folder, write_json
from stages.project.key import code_digest, run_key
from stages.project.locks import exclusive
from stages.project.paths import AUGMENTED, DATA, MODELS, WEIGHTS, model_report, resume_folder
from stages.project.stopping import stop_flag
from stages.project.versions import versions
from stages.tracking.run import Run
from stages.tracking.runs import train_run
from stages.training.batches import Rows
from stages.training.distributed import joined
from stages.training.history import Epoch, write_history
from stages.training.inputs import FeatureInputs, ImageInputs, class_weights
from stages.training.launch import launch, processes
from stages.training.lbfgs import fit_regression
from stages.training.loop import fit
from stages.training.outcome import Outcome
from stages.training.resume import Keeper
from stages.training.summary import frozen_parameters, summary
from stages.training.task import Task
from stages.training.world import World

_CONVOLUTIONAL = ("cnn", "speednet", "finetune")


def main(name: str) -> None:
    """Train the model `name`, in as many processes as `devices` says."""
    seed, device, precision, threads, devices, model = load(
        "seed", "device", "precision", "threads", "devices", f"models.{name}"
    )
    if isinstance(model.train, Lbfgs):
        precision, devices = "fp32", 1  # a search along a line needs it, and takes seconds
    if (count := processes(devices, device)) > 1:
        launch(main, name, count)
        return
    with joined() as world:
        convolutions = model.architecture in _CONVOLUTIONAL
        _train(name, model, seed, world.share(set_up(device, precision, threads, convolutions)), world)


def _train(name: str, model: AnyModel, seed: int, machine: Machine, world: World) -> None:
    """Train; of several ranks, rank 0 tracks and writes."""
    folder, policy = DATA / model.inputs, AUGMENTED / model.augmentation / "policy.json"
    data, start = open_set(folder), Start(WEIGHTS / model.weights)
    task = _task(name, model, data, policy, start, machine.device, seed)

    ran_on = machine.facts() | {"devices": world.size}
    settings = {"name": name, "seed": seed, "model": model.model_dump(), **ran_on}
    code = code_digest()
    key = run_key(settings, [folder / "dataset.json", policy, *start.files()], code)
    status = data.about.provenance["status"]
    facts = {"key": key, "code": code, "dataset": model.dataset, "provenance": status, **ran_on}
    state, first = resume_folder(key), world.rank == 0
    with (
        exclusive(f"train-{key}", f"trains {name}") if first else nullcontext(),
        stop_flag() as stop,
        train_run(name, settings, folder, facts, state.exists()) if first else nullcontext(Run(None, None)) as run,
    ):
        keeper = Keeper(state, stop, world)
        outcome = _trained(task, model.train, machine, run, keeper, world)
        if not first:
            return
        parameters, trainable = count_parameters(task.network)
        report = facts | summary(outcome, parameters + frozen_parameters(folder), trainable)
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


def _trained(task: Task, settings: AnyTrain, machine: Machine, run: Run, keeper: Keeper, world: World) -> Outcome:
    def log(epoch: Epoch) -> None:
        run.epoch(epoch.epoch, epoch.metrics())

    if isinstance(settings, Lbfgs):
        return fit_regression(task, settings, machine, log, keeper, world)
    return fit(task, settings, machine, log, keeper, world)


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
