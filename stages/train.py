"""Train a model of params.yaml, on the GPUs when there are any; writes models/MODEL and its training report."""

from dataclasses import replace
from typing import Any

import torch

from vision_pipeline.augmentation.policy import read_policy
from vision_pipeline.config.load import load_params
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import AUGMENTED, DATA, SYNTHETIC, WEIGHTS, resume_dir
from vision_pipeline.core.signals import catch_signals
from vision_pipeline.core.stage_main import run_stage
from vision_pipeline.data.format import PreparedDataset, open_dataset
from vision_pipeline.data.training_data import TrainingData, load_training_data
from vision_pipeline.models.build import count_parameters, init_from_data
from vision_pipeline.models.checkpoint import Checkpoint
from vision_pipeline.models.model_factory import ModelFactory, save_trained_model
from vision_pipeline.runtime.device import Runtime, setup_runtime
from vision_pipeline.tracking.lifecycle import train_run
from vision_pipeline.tracking.records import after_training_record
from vision_pipeline.tracking.run import Run
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.distributed import init_distributed, launch_ranks, num_processes
from vision_pipeline.training.ranks import DistributedContext
from vision_pipeline.training.results import TrainResult, count_frozen, training_summary, write_reports
from vision_pipeline.training.run_spec import (
    TrainingRun,
    check_world_size,
    effective_settings,
    make_training_runs,
    total_epochs,
)
from vision_pipeline.training.task import TrainTask, build_task
from vision_pipeline.training.trainer import train_model


def main(name: str) -> int | None:
    """Train the model `name` in `devices` processes; return the maximum of epochs over all seeds, None with L-BFGS."""
    seed, device, precision, threads, deterministic, devices, model = load_params(
        "seed", "device", "precision", "threads", "deterministic", "devices", f"models.{name}"
    )
    precision, devices = effective_settings(model, precision, devices)
    if (count := num_processes(devices, device)) > 1:
        launch_ranks(main, name, count)
        return total_epochs(model)
    with init_distributed() as world:
        check_world_size(name, model, world)
        first, *others = make_training_runs(name, model, seed)
        runtime = world.local_runtime(
            setup_runtime(
                device, precision, threads, has_convolutions=first.is_convolutional, deterministic=deterministic
            )
        )
        run_id = _train(first, None, runtime, world)
        for other in others:
            _train(other, run_id, runtime, world)
    return total_epochs(model)


def _train(training: TrainingRun, parent: str | None, runtime: Runtime, world: DistributedContext) -> str | None:
    """Train with one seed, and return the id of the MLflow run, a child of `parent`; only rank 0 tracks and writes."""
    model = training.model
    data, factory = open_dataset(DATA / model.inputs), ModelFactory(WEIGHTS / model.weights)
    synthetic_dir = SYNTHETIC / model.synthetic / "images"
    train_data = load_training_data(
        data, model.dataset, fraction=model.fraction, seed=training.subset_seed, folder=synthetic_dir
    )
    task = _build_task(training, data, train_data, factory=factory, device=runtime.device)
    tags = {"provenance": data.info.provenance["status"], **train_data.tags()}
    identity = training.identify(data.info.digest, tags, runtime.metadata() | {"devices": world.size})
    state_dir = resume_dir(identity.key)
    logger.debug(f"{training.title}: key {identity.key}, state in {state_dir}")
    with (
        identity.lock(training.title, world),
        catch_signals() as shutdown,
        train_run(
            training.name,
            identity.settings,
            data.folder,
            identity.metadata,
            has_state=state_dir.exists(),
            parent=parent,
            rank=world.rank,
        ) as run,
    ):
        result = train_model(
            task,
            model.train,
            runtime,
            after_epoch=lambda epoch: run.log_epoch(epoch.epoch, epoch.metrics()),
            checkpointer=CheckpointManager(state_dir, shutdown, world),
            world=world,
            shutdown=shutdown,
        )
        if world.rank == 0:
            report = {"seed": training.seed, **identity.metadata} | _summarize(task, data, result)
            dataset_info = replace(data.info, provenance=data.info.provenance | train_data.tags())
            training_record = {"settings": identity.settings, **report}
            checkpoint = factory.make_checkpoint(
                training.name, model, dataset_info, state_dict=result.weights, training=training_record
            )
            _save_results(training, checkpoint, report, result=result, run=run)
        return run.id


def _build_task(
    training: TrainingRun,
    data: PreparedDataset,
    train_data: TrainingData,
    *,
    factory: ModelFactory,
    device: torch.device,
) -> TrainTask:
    """Return the network on its device, the data, and the transforms of a batch."""
    dataset_info, model = data.info, training.model
    torch.manual_seed(training.seed)
    network = factory.build(model, dataset_info).to(device)
    normalization = factory.get_normalization(model.normalize, dataset_info.mean, dataset_info.std)
    policy = read_policy(AUGMENTED / model.augmentation / "policy.json")
    task = build_task(
        training,
        data,
        train_data,
        network=network,
        augment=policy.apply,
        normalization=normalization,
        device=device,
    )
    if isinstance(rows := task.train, ArrayDataset):
        init_from_data(network, lambda count: task.eval_transform(rows.head(count)[0]))
    return task


def _summarize(task: TrainTask, data: PreparedDataset, result: TrainResult) -> dict[str, Any]:
    """Return the summary of a training; a frozen backbone that computed the inputs counts as parameters, too."""
    parameters, trainable = count_parameters(task.network)
    return training_summary(result, parameters + count_frozen(data.folder), trainable)


def _save_results(
    training: TrainingRun, checkpoint: Checkpoint, report: dict[str, Any], *, result: TrainResult, run: Run
) -> None:
    """Write the model and its reports, and log the reports."""
    save_trained_model(training.model_dir, checkpoint)
    write_reports(training.report_dir, report, result)
    run.log_record(after_training_record(training.report_dir))
    logger.info(f"{training.title}: validation accuracy {report['val_accuracy']:.2%} in epoch {report['best_epoch']}")


if __name__ == "__main__":
    run_stage(main, __doc__, "a model of params.yaml")
