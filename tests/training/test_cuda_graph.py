"""A step captured as a CUDA graph gives the bits of the step itself, and never waits for the device."""

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from interruption import Killed, killed_at, same
from tiny_training import SETTINGS
from torch import Tensor, nn

from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.runtime.device import Runtime, setup_runtime
from vision_pipeline.training import train_step
from vision_pipeline.training.batches import ArrayDataset, Batch
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.results import TrainResult
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.trainer import fit

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")

OPTIMIZERS = ["sgd", "adam", "adamw", "muon"]


@pytest.fixture(name="gpu")
def a_gpu() -> Iterator[Runtime]:
    """Yield the runtime of a GPU as a stage sets it up, in bfloat16."""
    mode, threads = torch.get_deterministic_debug_mode(), torch.get_num_threads()
    yield setup_runtime("cuda", "bf16", 1, has_convolutions=True)
    torch.set_deterministic_debug_mode(mode)
    torch.set_num_threads(threads)


def images(on: Runtime) -> TrainTask:
    """Return a task of 70 training images; its network has filters, batch norm and dropout."""
    random = np.random.default_rng(0)
    pixels, targets = random.integers(0, 256, (90, 8, 8, 3), dtype=np.uint8), random.integers(0, 4, 90)
    torch.manual_seed(0)
    hidden = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Dropout(0.2))
    network = nn.Sequential(*hidden, nn.Linear(8 * 36, 4)).to(on.device)
    splits = [ArrayDataset(pixels[rows], targets[rows], on.device) for rows in (slice(70), slice(70, 90))]

    def to_unit(stored: Tensor) -> Tensor:
        return stored.permute(0, 3, 1, 2).float() / 255

    def to_train(batch: Batch, rows: slice) -> Tensor:
        return to_unit(batch.inputs[rows])

    return TrainTask(
        name="toy",
        network=network,
        train=splits[0],
        val=splits[1],
        train_transform=to_train,
        eval_transform=to_unit,
        class_weights=None,
        seed=0,
    )


def trained(on: Runtime, **changes: object) -> TrainResult:
    """Train in batches of 16, the last of 6."""
    settings = SETTINGS.model_copy(update={"batch_size": 16, "schedule": "linear", "clip_norm": 1.0, **changes})
    return fit(images(on), settings, on, lambda epoch: None)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_bits_are_those_of_the_step_itself(gpu, monkeypatch, optimizer):
    """Dropout draws the same, rates change from step to step, the shorter last batch is not recorded."""
    recorded = trained(gpu, optimizer=optimizer, ema=0.9)
    monkeypatch.setattr(train_step, "CUDAGraphStep", lambda step, rows: step)
    assert same(recorded, trained(gpu, optimizer=optimizer, ema=0.9))


def test_a_step_waits_for_nothing(gpu, monkeypatch):
    """CUDA raises where Python would wait for the device inside a step."""
    step = train_step.TrainStep.run

    def watched(self: train_step.TrainStep, batch: Batch, rate: float, number: int) -> tuple[Tensor, Tensor]:
        recording = number == 3
        torch.cuda.set_sync_debug_mode("default" if recording else "error")
        try:
            return step(self, batch, rate, number)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    monkeypatch.setattr(train_step.TrainStep, "run", watched)
    assert len(trained(gpu).history) == SETTINGS.epochs


def test_killed_and_run_again_it_ends_with_the_same_bits(gpu, tmp_path, monkeypatch):
    """Steps that were replayed the first time are done one by one after the death."""
    monkeypatch.setattr("vision_pipeline.training.checkpointing._MAX_SAVE_SHARE", float("inf"))  # save every epoch
    settings = SETTINGS.model_copy(update={"batch_size": 16, "epochs": 4})
    whole = fit(images(gpu), settings, gpu, lambda epoch: None)
    with pytest.raises(Killed):
        fit(
            killed_at(images(gpu), (3, 2)),
            settings,
            gpu,
            lambda epoch: None,
            checkpointer=CheckpointManager(tmp_path, ShutdownFlag()),
        )
    assert same(
        whole,
        fit(images(gpu), settings, gpu, lambda epoch: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag())),
    )
