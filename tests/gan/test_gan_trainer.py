"""The training of a GAN, which resumes anywhere to the same bits."""

import math
import signal
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_model import images

from vision_pipeline.config.models import GanConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.signals import Interrupted, ShutdownFlag
from vision_pipeline.gan.networks import Discriminator, Generator
from vision_pipeline.gan.trainer import GanState, Player, is_due, train_gan
from vision_pipeline.runtime.device import Runtime
from vision_pipeline.training import checkpointing
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.ema import ModelEma
from vision_pipeline.training.fused_optimizers import FusedAdam

STEPS = 12
GAN = GanConfig(width=4, latent=8, steps=STEPS, batch_size=6, lr=0.001)
CPU = Runtime(torch.device("cpu"), "fp32", 1, "test")


class Killed(BaseException):
    """An error that no code expects."""


def make_gan(seed: int = 0) -> GanState:
    torch.manual_seed(seed)
    players = []
    for network in (Generator(8, 2, 4, [8, 8, 1]), Discriminator(2, 4, [8, 8, 1])):
        players.append(Player(network.train(), FusedAdam(list(network.parameters()), 0.0, False, betas=(0.5, 0.999))))
    pixels, targets = (torch.from_numpy(array) for array in images(20))
    return GanState(
        name="toy",
        generator=players[0],
        discriminator=players[1],
        ema=ModelEma(players[0].network, 0.9),
        images=pixels,
        targets=targets,
        num_classes=2,
        seed=seed,
    )


def trained(folder: Path, runtime: Runtime = CPU, kill: int = -1, chosen: GanConfig = GAN) -> tuple:
    """Train, killed after `kill` steps; return the average's weights, the losses and the samples."""
    toy, flag = make_gan(), ShutdownFlag()

    class Deadly(CheckpointManager):
        done = 0

        def after_step(self, get_state):
            super().after_step(get_state)
            Deadly.done += 1
            if Deadly.done == kill:
                raise Killed

    history = train_gan(toy, chosen, runtime, report=lambda losses: None, checkpointer=Deadly(folder, flag))
    return toy.ema.network.state_dict(), history.losses, history.samples


def same(first: tuple, second: tuple) -> bool:
    tensors = [(one[key], two[key]) for one, two in zip(first[::2], second[::2], strict=True) for key in one]
    return first[1] == second[1] and len(tensors) > 20 and all(torch.equal(*pair) for pair in tensors)


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(checkpointing, "_SECONDS_BETWEEN_SAVES", 0.0)
    monkeypatch.setattr(checkpointing, "_MAX_SAVE_SHARE", float("inf"))


@pytest.mark.long
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_killed_anywhere_it_ends_with_the_same_bits(precision, every_step, tmp_path):
    runtime = Runtime(torch.device("cpu"), precision, 1, "test")
    uninterrupted = trained(tmp_path, runtime)

    @settings(max_examples=6)
    @given(st.lists(st.integers(1, STEPS), max_size=3))
    def killed(kills):
        with TemporaryDirectory() as folder:
            for kill in kills:
                try:
                    trained(Path(folder), runtime, kill)
                except Killed:
                    torch.manual_seed(123)
            assert same(trained(Path(folder), runtime), uninterrupted)

    killed()


def test_a_signal_stops_within_a_step_and_keeps_it(tmp_path):
    flag = ShutdownFlag()
    with pytest.raises(Interrupted, match="SIGTERM"):
        train_gan(
            make_gan(),
            GAN,
            CPU,
            report=lambda losses: setattr(flag, "signal", signal.SIGTERM),
            checkpointer=CheckpointManager(tmp_path, flag),
        )
    assert CheckpointManager(tmp_path, ShutdownFlag()).load()["steps"] == 1


def test_both_networks_learn_and_the_average_follows(tmp_path):
    toy, before = make_gan(), make_gan()
    train_gan(toy, GAN, CPU, report=lambda losses: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag()))
    for name in ("generator", "discriminator"):
        old, new = (dict(getattr(one, name).network.named_parameters()) for one in (before, toy))
        assert all(not torch.equal(old[key], new[key]) for key in old)
        assert all(parameter.requires_grad for parameter in new.values())
    average, last = (network.state_dict()["linear.weight"] for network in (toy.ema.network, toy.generator.network))
    first = before.generator.network.state_dict()["linear.weight"]
    assert 0 < (average - first).norm() < (last - first).norm()


def test_the_losses_are_told_and_samples_made_evenly(tmp_path):
    reported = []
    chosen = GAN.model_copy(update={"steps": 20})
    history = train_gan(
        make_gan(), chosen, CPU, report=reported.append, checkpointer=CheckpointManager(tmp_path, ShutdownFlag())
    )
    assert [losses.step for losses in reported] == list(range(1, 21))
    assert history.losses == reported
    assert list(history.samples) == list(range(2, 21, 2))
    assert {tuple(images.shape) for images in history.samples.values()} == {(20, 8, 8, 1)}
    history.write_losses(tmp_path / "losses.csv")
    header, *rows = (tmp_path / "losses.csv").read_text().splitlines()
    assert header == "step,discriminator,generator"
    assert len(rows) == 20


@given(st.integers(1, 300), st.integers(1, 50))
def test_what_is_due_is_due_so_many_times_and_at_the_end(total, times):
    when = [done for done in range(1, total + 1) if is_due(done, total, times)]
    assert len(when) == min(total, times)
    assert when[-1] == total
    gaps = np.diff([0, *when])
    assert gaps.max() - gaps.min() <= 1


def test_a_loss_that_is_not_finite_is_refused_with_the_key(tmp_path):
    toy = make_gan()
    with torch.no_grad():
        toy.generator.network.linear.weight.fill_(math.nan)
    with pytest.raises(UserError, match=r"a loss of toy is not finite .* lower generators\.toy\.gan\.lr"):
        train_gan(toy, GAN, CPU, report=lambda losses: None, checkpointer=CheckpointManager(tmp_path, ShutdownFlag()))
