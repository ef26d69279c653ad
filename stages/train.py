"""Train a model of params.yaml, on the GPUs when there are any; writes models/MODEL and its training report."""

from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stages.augmentation.policy import read_policy
from stages.compute.device import Machine, set_up
from stages.datasets.format import PreparedSet, open_set
from stages.datasets.synthetic import Material, material
from stages.models.build import count_parameters, fit_to_data
from stages.models.checkpoint import Checkpoint
from stages.models.start import Start
from stages.models.trained import write_trained
from stages.params import load
from stages.params.models import AnyModel, Recurrent
from stages.params.training import Lbfgs
from stages.project.console import Refusal, say
from stages.project.door import open_door
from stages.project.key import code_digest, run_key, training_files
from stages.project.locks import exclusive
from stages.project.paths import AUGMENTED, DATA, MODELS, SYNTHETIC, WEIGHTS, model_report, resume_folder, seed_folder
from stages.project.stopping import stop_flag
from stages.tracking.run import Run
from stages.tracking.runs import train_run
from stages.training.batches import Rows
from stages.training.distributed import joined
from stages.training.fit import fit_task
from stages.training.inputs import class_weights, inputs_of
from stages.training.launch import launch, processes
from stages.training.outcome import Outcome
from stages.training.resume import Keeper
from stages.training.streams import Streams, train_and_val
from stages.training.summary import REPORTS, frozen_parameters, summary, write_reports
from stages.training.task import Task
from stages.training.world import World

_CONVOLUTIONAL = ("cnn", "speednet", "finetune")


def main(name: str) -> int | None:
    """Train the model `name`, in as many processes as `devices` says; the epochs of all seeds, None with L-BFGS."""
    seed, device, precision, threads, devices, model = load(
        "seed", "device", "precision", "threads", "devices", f"models.{name}"
    )
    if isinstance(model.train, Lbfgs):
        precision, devices = "fp32", 1  # a search along a line needs it, and takes seconds
    first, *others = model.seeds or [seed]
    epochs = None if isinstance(model.train, Lbfgs) else model.train.epochs * (1 + len(others))
    if isinstance(model, Recurrent) and model.steps:
        devices = 1  # a stream's state is where its last batch was computed
    if (count := processes(devices, device)) > 1:
        launch(main, name, count)
        return epochs
    with joined() as world:
        machine = world.share(set_up(device, precision, threads, model.architecture in _CONVOLUTIONAL))
        run_id = _train(Training(name, model, first, seed, MODELS / name, model_report(name)), machine, world)
        for other in others:
            folder = seed_folder(name, other)
            _train(Training(name, model, other, seed, folder, folder, run_id), machine, world)
    return epochs


@dataclass(frozen=True)
class Training:
    """One of a model's trainings.

    Attributes:
        name, model: of params.yaml.
        seed: of initial weights, order, augmentation and dropout.
        subset_seed: of the choice of a `fraction` of the images, the same for all trainings.
        folder, reports: where the model and its reports are written.
        parent: the MLflow run of the training with the first seed; None for that itself.
    """

    name: str
    model: AnyModel
    seed: int
    subset_seed: int
    folder: Path
    reports: Path
    parent: str | None = None

    @property
    def title(self) -> str:
        """What it is called."""
        return self.name if self.folder == MODELS / self.name else f"{self.name}, seed {self.seed}"


def _train(training: Training, machine: Machine, world: World) -> str | None:
    """Train, and tell the MLflow run's id; of several ranks, rank 0 tracks and writes."""
    name, model, seed = training.title, training.model, training.seed
    folder, policy = DATA / model.inputs, AUGMENTED / model.augmentation / "policy.json"
    data, start, made = open_set(folder), Start(WEIGHTS / model.weights), SYNTHETIC / model.synthetic / "images"
    learnt = material(data, model.dataset, model.fraction, training.subset_seed, made)
    task = _task(name, model, data, learnt, policy, start, machine, seed)
    if isinstance(task.train, Streams) and world.size > 1:
        raise Refusal(f"{name} is trained on a text, which one process reads; start it without torchrun")

    ran_on = machine.facts() | {"devices": world.size}
    seeds = {"seed": seed, "subset_seed": training.subset_seed}
    section = model.model_dump(exclude={"seeds"})
    settings = {"name": training.name, **seeds, "model": section, **ran_on}
    code, status = code_digest(), data.about.provenance["status"]
    key = run_key(settings, training_files(section), code)
    known = {"key": key, "code": code, "dataset": model.dataset, "data": data.about.digest, "provenance": status}
    facts = known | learnt.marks() | ran_on
    state, first = resume_folder(key), world.rank == 0
    with (
        exclusive(f"train-{key}", f"trains {name}") if first else nullcontext(),
        stop_flag() as stop,
        train_run(training.name, settings, folder, facts, state.exists(), parent=training.parent)
        if first
        else nullcontext(Run(None, None)) as run,
    ):
        outcome = fit_task(
            task, model.train, machine, lambda epoch: run.epoch(epoch.epoch, epoch.metrics()),
            Keeper(state, stop, world), world, stop, model.architecture in _CONVOLUTIONAL,
        )  # fmt: skip
        if first:
            parameters, trainable = count_parameters(task.network)
            report = {"seed": seed, **facts} | summary(outcome, parameters + frozen_parameters(folder), trainable)
            kept = {"settings": settings, **report}
            about = replace(data.about, provenance=data.about.provenance | learnt.marks())
            _keep(training, start.checkpoint(training.name, model, about, outcome.weights, kept), report, outcome, run)
        return run.id


def _keep(
    training: Training, checkpoint: Checkpoint, report: dict[str, Any], outcome: Outcome, run: Run
) -> None:  # fmt: skip
    """Write the model and its reports, and log these."""
    write_trained(training.folder, checkpoint)
    write_reports(training.reports, report, outcome)
    run.layers(training.reports / "layers.csv")
    run.artifacts(*(training.reports / file for file in REPORTS))
    say(f"{training.title}: validation accuracy {report['val_accuracy']:.2%} in epoch {report['best_epoch']}")


def _task(
    name: str, model: AnyModel, data: PreparedSet, learnt: Material, policy: Path, start: Start, machine: Machine,
    seed: int,
) -> Task:  # fmt: skip
    """The network on its device, the data and what becomes of a batch."""
    about, device = data.about, machine.device
    torch.manual_seed(seed)
    network = start.network(model, about).to(device)
    scale = start.scale(model.normalize, about.mean, about.std)
    inputs = inputs_of(about.kind, read_policy(policy).apply, scale, seed, device)
    train, val = train_and_val(name, data, learnt, model, device)
    if isinstance(train, Rows):
        fit_to_data(network, lambda count: inputs.to_val(train.sample(count)[0]))
    counts = np.bincount(learnt.targets, minlength=len(about.class_names)).tolist()
    weights = class_weights(counts, model.train.class_weights, device)
    return Task(name, network, train, val, inputs.to_train, inputs.to_val, weights, seed)


if __name__ == "__main__":
    open_door(main, __doc__, "a model of params.yaml")
