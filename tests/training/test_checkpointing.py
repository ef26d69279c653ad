"""A training that was interrupted anywhere, any number of times, ends with the same bits."""

import hashlib
import pickle
import signal
from dataclasses import replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from interruption import Killed, kill_anywhere, killed_at, same
from tiny_training import CPU, SETTINGS, a_task
from torch import nn

from vision_pipeline.core.signals import Interrupted, ShutdownFlag
from vision_pipeline.models.build import build_model
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training import checkpointing
from vision_pipeline.training.batches import ArrayDataset
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.task import TrainTask
from vision_pipeline.training.trainer import fit

EPOCHS, STEPS = SETTINGS.epochs, 4  # of `a_task` and `images_task`
SETTINGS_OF = {
    "cnn": {
        "channels": [4, 6], "kernel": 3, "padding": 1, "hidden": [8], "activation": "relu",
        "dropout": 0.3, "batch_norm": True,
    },
    "speednet": {"widths": [4, 6], "convolutions": 2, "activation": "gelu"},
    "finetune": {"unfreeze": "3", "backbone": {"library": "none", "network": "small"}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def small_backbone(monkeypatch):
    """Replace the backbone of `finetune` by a small one: a convolution and a norm that are frozen, two that train."""

    def small(library: str, network: str) -> nn.Module:
        blocks = [layer for count in (3, 4) for layer in (nn.Conv2d(count, 4, 3), nn.BatchNorm2d(4), nn.ReLU())]
        return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    monkeypatch.setattr("vision_pipeline.models.finetune.create_backbone", small)


def images_task(architecture: str) -> TrainTask:
    """Return a network with batch norm (and dropout) on images, in channels_last layout as in the stage train."""
    random = np.random.default_rng(0)
    channels = 3 if architecture == "finetune" else 1
    pixels = random.normal(size=(48, channels, 8, 8)).astype(np.float32)
    targets = (pixels[:, 0, 0, 0] > 0).astype(np.int64)
    torch.manual_seed(0)
    network = build_model(architecture, SETTINGS_OF[architecture], [8, 8, channels], 2).to(
        memory_format=torch.channels_last
    )
    train, val = (
        ArrayDataset(pixels[:32], targets[:32], CPU.device),
        ArrayDataset(pixels[32:], targets[32:], CPU.device),
    )
    return TrainTask(
        name="images",
        network=network,
        train=train,
        val=val,
        train_transform=lambda batch, rows: batch.inputs[rows],
        eval_transform=lambda x: x,
        class_weights=None,
        seed=0,
    )


@pytest.mark.long
@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("make", [a_task, *(partial(images_task, name) for name in SETTINGS_OF)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_killed_anywhere_it_ends_with_the_same_bits(make, optimizer, precision, every_step):
    runtime = Runtime(torch.device("cpu"), precision, 1, "test")
    chosen = SETTINGS.model_copy(
        update={"optimizer": optimizer, "momentum": 0.9, "schedule": "cosine", "mixup": 0.4, "ema": 0.9}
    )
    assert kill_anywhere(make, chosen, runtime, steps=STEPS, examples=8) > 0


def test_steps_are_not_repeated(tmp_path, every_step):
    seen: list[tuple[int, int]] = []

    def noting(task: TrainTask) -> TrainTask:
        def to_train(batch, rows):
            seen.append((batch.epoch, batch.step))
            return task.train_transform(batch, rows)

        return replace(task, train_transform=to_train)

    with pytest.raises(Killed):
        fit(
            killed_at(noting(a_task()), (2, 2)),
            SETTINGS,
            CPU,
            lambda e: None,
            checkpointer=CheckpointManager(tmp_path, ShutdownFlag()),
        )
    fit(noting(a_task()), SETTINGS, CPU, lambda e: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag()))
    assert seen == [(epoch, step) for epoch in range(1, EPOCHS + 1) for step in range(STEPS)]


def test_a_finished_training_is_not_trained_again(tmp_path):
    first = fit(a_task(), SETTINGS, CPU, lambda epoch: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag()))
    again = fit(
        killed_at(a_task(), (1, 0)),
        SETTINGS,
        CPU,
        lambda epoch: None,
        checkpointer=CheckpointManager(tmp_path, ShutdownFlag()),
    )
    assert same(first, again)


def test_early_stopping_also_counts_epochs_before_the_end(tmp_path):
    hopeless = SETTINGS.model_copy(update={"lr": 1e-30, "optimizer": "sgd", "epochs": 50, "patience": 4})
    alone = fit(a_task(), hopeless, CPU, lambda epoch: None)
    with pytest.raises(Killed):
        fit(
            killed_at(a_task(), (3, 1)),
            hopeless,
            CPU,
            lambda epoch: None,
            checkpointer=CheckpointManager(tmp_path, ShutdownFlag()),
        )
    assert same(
        fit(a_task(), hopeless, CPU, lambda epoch: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag())),
        alone,
    )
    assert len(alone.history) == 5


@pytest.mark.parametrize("harm", ["truncated", "empty", "one bit"])
def test_a_newest_state_that_is_not_whole_costs_no_more_than_the_one_before(tmp_path, every_step, harm, capsys):
    with pytest.raises(Killed):
        fit(
            killed_at(a_task(), (2, 3)),
            SETTINGS,
            CPU,
            lambda epoch: None,
            checkpointer=CheckpointManager(tmp_path, ShutdownFlag()),
        )
    newest = max(tmp_path.iterdir(), key=lambda file: checkpointing._read_state(file)["number"])
    content = bytearray(newest.read_bytes())
    if harm == "one bit":
        content[len(content) // 2] ^= 1
    else:
        del content[0 if harm == "empty" else len(content) // 2 :]
    newest.write_bytes(content)

    state = CheckpointManager(tmp_path, ShutdownFlag()).load()
    assert (state["epoch"], state["step"]) == (2, 2)
    assert f"{newest} is not whole" in capsys.readouterr().err
    resumed = fit(a_task(), SETTINGS, CPU, lambda epoch: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag()))
    assert same(resumed, fit(a_task(), SETTINGS, CPU, lambda epoch: None))


def test_without_a_whole_state_it_begins_anew(tmp_path, capsys):
    for name in ("a.state", "b.state"):
        (tmp_path / name).write_bytes(b"nothing of use")
    resumed = fit(a_task(), SETTINGS, CPU, lambda epoch: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag()))
    assert same(resumed, fit(a_task(), SETTINGS, CPU, lambda epoch: None))
    assert capsys.readouterr().err.count("is not whole") == 2


def test_a_state_of_another_torch_is_left(tmp_path, monkeypatch, capsys):
    with pytest.raises(Killed):
        fit(
            killed_at(a_task(), (2, 3)),
            SETTINGS,
            CPU,
            lambda epoch: None,
            checkpointer=CheckpointManager(tmp_path, ShutdownFlag()),
        )
    versions = checkpointing.get_library_versions()
    monkeypatch.setattr(checkpointing, "get_library_versions", lambda: versions | {"torch": "9.9"})
    assert CheckpointManager(tmp_path, ShutdownFlag()).load() is None
    assert f"(torch {versions['torch']}, now 9.9); its training begins anew" in capsys.readouterr().err


def test_a_signal_stops_within_a_step_and_keeps_it(tmp_path):
    flag = ShutdownFlag()

    def stopping(task: TrainTask) -> TrainTask:
        def to_train(batch, rows):
            if (batch.epoch, batch.step) == (2, 1):
                flag.signal = signal.SIGTERM
            return task.train_transform(batch, rows)

        return replace(task, train_transform=to_train)

    with pytest.raises(Interrupted, match="SIGTERM"):
        fit(stopping(a_task()), SETTINGS, CPU, lambda epoch: None, checkpointer=CheckpointManager(tmp_path, flag))
    state = CheckpointManager(tmp_path, ShutdownFlag()).load()
    assert (state["epoch"], state["step"]) == (2, 2)


def test_saving_takes_a_bounded_share_of_the_time(tmp_path, monkeypatch):
    clock, saves = [0.0], []
    monkeypatch.setattr(checkpointing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    checkpointer = CheckpointManager(tmp_path, ShutdownFlag())
    slow_disk = SimpleNamespace(fsync=lambda file: clock.__setitem__(0, clock[0] + 1.0))
    monkeypatch.setattr(checkpointing, "os", slow_disk)
    checkpointer.save({})
    for _ in range(600):  # epochs of one second each
        clock[0] += 1.0
        before = clock[0]
        checkpointer.after_epoch(dict, is_last=False)
        saves.append(clock[0] - before)
    assert sum(saves) / clock[0] < 0.021
    assert sum(saves) >= 10


@pytest.mark.filterwarnings("ignore:Detected pickle protocol")
def test_a_state_is_not_read_as_code(tmp_path):
    payload = pickle.dumps(print)
    (tmp_path / "a.state").write_bytes(hashlib.sha256(payload).digest() + payload)
    with pytest.raises(pickle.UnpicklingError):
        CheckpointManager(tmp_path, ShutdownFlag()).load()
