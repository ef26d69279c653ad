"""Train a model of params.yaml, on the GPUs when there are any; writes models/MODEL and its training report."""

from dataclasses import replace
from typing import Any

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
from stages.project.console import say
from stages.project.door import open_door
from stages.project.paths import AUGMENTED, DATA, SYNTHETIC, WEIGHTS, resume_folder
from stages.project.stopping import stop_flag
from stages.tracking.records import after_training
from stages.tracking.run import Run
from stages.tracking.runs import train_run
from stages.training.batches import Rows
from stages.training.distributed import joined
from stages.training.fit import fit_task
from stages.training.launch import launch, processes
from stages.training.outcome import Outcome
from stages.training.resume import Keeper
from stages.training.summary import frozen_parameters, summary, write_reports
from stages.training.task import Task, task_of
from stages.training.training import Training, allowed, check_ranks, epochs_of, trainings
from stages.training.world import World


def main(name: str) -> int | None:
    """Train the model `name`, in as many processes as `devices` says; the epochs of all seeds, None with L-BFGS."""
    seed, device, precision, threads, deterministic, devices, model = load(
        "seed", "device", "precision", "threads", "deterministic", "devices", f"models.{name}"
    )
    precision, devices = allowed(model, precision, devices)
    if (count := processes(devices, device)) > 1:
        launch(main, name, count)
        return epochs_of(model)
    with joined() as world:
        check_ranks(name, model, world)
        first, *others = trainings(name, model, seed)
        machine = world.share(set_up(device, precision, threads, first.convolutional, deterministic))
        run_id = _train(first, None, machine, world)
        for other in others:
            _train(other, run_id, machine, world)
    return epochs_of(model)


def _train(training: Training, parent: str | None, machine: Machine, world: World) -> str | None:
    """Train, and tell the MLflow run's id, which lies below `parent`; of several ranks, rank 0 tracks and writes."""
    model = training.model
    data, start = open_set(DATA / model.inputs), Start(WEIGHTS / model.weights)
    made = SYNTHETIC / model.synthetic / "images"
    learnt = material(data, model.dataset, model.fraction, training.subset_seed, made)
    task = _task(training, data, learnt, start, machine.device)
    marks = {"provenance": data.about.provenance["status"], **learnt.marks()}
    known = training.identity(data.about.digest, marks, machine.facts() | {"devices": world.size})
    state = resume_folder(known.key)
    with (
        known.alone(training.title, world),
        stop_flag() as stop,
        train_run(
            training.name, known.settings, data.folder, known.facts, state.exists(), parent=parent, rank=world.rank
        ) as run,
    ):
        outcome = fit_task(
            task, model.train, machine, lambda epoch: run.epoch(epoch.epoch, epoch.metrics()),
            Keeper(state, stop, world), world, stop,
        )  # fmt: skip
        if world.rank == 0:
            parameters, trainable = count_parameters(task.network)
            sizes = parameters + frozen_parameters(data.folder), trainable
            report = {"seed": training.seed, **known.facts} | summary(outcome, *sizes)
            about = replace(data.about, provenance=data.about.provenance | learnt.marks())
            kept = {"settings": known.settings, **report}
            checkpoint = start.checkpoint(training.name, model, about, outcome.weights, kept)
            _keep(training, checkpoint, report, outcome, run)
        return run.id


def _task(training: Training, data: PreparedSet, learnt: Material, start: Start, device: torch.device) -> Task:
    """The network on its device, the data and what becomes of a batch."""
    about, model = data.about, training.model
    torch.manual_seed(training.seed)
    network = start.network(model, about).to(device)
    scale = start.scale(model.normalize, about.mean, about.std)
    policy = read_policy(AUGMENTED / model.augmentation / "policy.json")
    task = task_of(training, data, learnt, network, policy.apply, scale, device)
    if isinstance(rows := task.train, Rows):
        fit_to_data(network, lambda count: task.to_val(rows.sample(count)[0]))
    return task


def _keep(training: Training, checkpoint: Checkpoint, report: dict[str, Any], outcome: Outcome, run: Run) -> None:
    """Write the model and its reports, and log these."""
    write_trained(training.folder, checkpoint)
    write_reports(training.reports, report, outcome)
    run.record(after_training(training.reports))
    say(f"{training.title}: validation accuracy {report['val_accuracy']:.2%} in epoch {report['best_epoch']}")


if __name__ == "__main__":
    open_door(main, __doc__, "a model of params.yaml")
