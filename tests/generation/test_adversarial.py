"""The training of a GAN: what it depends on, and that it may end and go on anywhere."""

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

from stages.compute.device import Machine
from stages.generation.adversarial import fit_gan
from stages.generation.contest import Contest, Side
from stages.generation.images import make_images, to_pixels, to_symmetric
from stages.generation.networks import Discriminator, Generator
from stages.generation.progress import due
from stages.params.generators import Gan
from stages.project.console import Refusal
from stages.project.stopping import StopFlag, Stopped
from stages.training import resume
from stages.training.average import Average
from stages.training.resume import Keeper
from stages.training.updates import Adam

STEPS = 12
GAN = Gan(width=4, latent=8, steps=STEPS, batch_size=6, lr=0.001)
CPU = Machine(torch.device("cpu"), "fp32", 1, "test")


class Killed(BaseException):
    """What no code expects."""


def contest(seed: int = 0) -> Contest:
    torch.manual_seed(seed)
    sides = []
    for network in (Generator(8, 2, 4, [8, 8, 1]), Discriminator(2, 4, [8, 8, 1])):
        sides.append(Side(network.train(), Adam(list(network.parameters()), 0.0, False, betas=(0.5, 0.999))))
    pixels, targets = (torch.from_numpy(array) for array in images(20))
    return Contest("toy", *sides, Average(sides[0].network, 0.9), pixels, targets, 2, seed)


def trained(folder: Path, machine: Machine = CPU, kill: int = -1, chosen: Gan = GAN) -> tuple:
    """The average's weights, the history and the samples after a training, which `kill` ends after as many steps."""
    toy, flag = contest(), StopFlag()

    class Deadly(Keeper):
        done = 0

        def after_step(self, state):
            super().after_step(state)
            Deadly.done += 1
            if Deadly.done == kill:
                raise Killed

    found = fit_gan(toy, chosen, machine, lambda losses: None, Deadly(folder, flag))
    return toy.average.network.state_dict(), found.history, found.samples


def same(first: tuple, second: tuple) -> bool:
    tensors = [(one[key], two[key]) for one, two in zip(first[::2], second[::2], strict=True) for key in one]
    return first[1] == second[1] and len(tensors) > 20 and all(torch.equal(*pair) for pair in tensors)


@pytest.fixture
def every_step(monkeypatch):
    monkeypatch.setattr(resume, "_SECONDS", 0.0)
    monkeypatch.setattr(resume, "_LARGEST_SHARE", float("inf"))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_killed_anywhere_it_ends_with_the_same_bits(precision, every_step, tmp_path):
    machine = Machine(torch.device("cpu"), precision, 1, "test")
    uninterrupted = trained(tmp_path, machine)

    @settings(max_examples=6)
    @given(st.lists(st.integers(1, STEPS), max_size=3))
    def killed(kills):
        with TemporaryDirectory() as folder:
            for kill in kills:
                try:
                    trained(Path(folder), machine, kill)
                except Killed:
                    torch.manual_seed(123)
            assert same(trained(Path(folder), machine), uninterrupted)

    killed()


def test_a_signal_stops_within_a_step_and_keeps_it(tmp_path):
    flag = StopFlag()
    with pytest.raises(Stopped, match="SIGTERM"):
        fit_gan(contest(), GAN, CPU, lambda losses: setattr(flag, "signal", signal.SIGTERM), Keeper(tmp_path, flag))
    assert Keeper(tmp_path, StopFlag()).load()["steps"] == 1


def test_both_networks_learn_and_the_average_follows(tmp_path):
    toy, before = contest(), contest()
    fit_gan(toy, GAN, CPU, lambda losses: None, Keeper(tmp_path, StopFlag()))
    for name in ("generator", "discriminator"):
        old, new = (dict(getattr(one, name).network.named_parameters()) for one in (before, toy))
        assert all(not torch.equal(old[key], new[key]) for key in old)
        assert all(parameter.requires_grad for parameter in new.values())
    average, last = (network.state_dict()["linear.weight"] for network in (toy.average.network, toy.generator.network))
    first = before.generator.network.state_dict()["linear.weight"]
    assert 0 < (average - first).norm() < (last - first).norm()


def test_the_losses_are_told_and_samples_made_evenly(tmp_path):
    told = []
    chosen = GAN.model_copy(update={"steps": 20})
    found = fit_gan(contest(), chosen, CPU, told.append, Keeper(tmp_path, StopFlag()))
    assert [losses.step for losses in told] == list(range(1, 21))
    assert found.history == told
    assert list(found.samples) == list(range(2, 21, 2))
    assert {tuple(made.shape) for made in found.samples.values()} == {(20, 8, 8, 1)}
    found.write(tmp_path / "losses.csv")
    header, *rows = (tmp_path / "losses.csv").read_text().splitlines()
    assert header == "step,discriminator,generator"
    assert len(rows) == 20


@given(st.integers(1, 300), st.integers(1, 50))
def test_what_is_due_is_due_so_many_times_and_at_the_end(total, times):
    when = [done for done in range(1, total + 1) if due(done, total, times)]
    assert len(when) == min(total, times)
    assert when[-1] == total
    gaps = np.diff([0, *when])
    assert gaps.max() - gaps.min() <= 1


def test_a_loss_that_is_not_finite_is_refused_with_the_key(tmp_path):
    toy = contest()
    with torch.no_grad():
        toy.generator.network.linear.weight.fill_(math.nan)
    with pytest.raises(Refusal, match=r"a loss of toy is not finite .* lower generators\.toy\.gan\.lr"):
        fit_gan(toy, GAN, CPU, lambda losses: None, Keeper(tmp_path, StopFlag()))


def test_pixels_go_there_and_back():
    pixels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    there = to_symmetric(torch.from_numpy(pixels))
    assert (there.min().item(), there.max().item()) == (-1, 1)
    assert np.array_equal(to_pixels(there), pixels)


def test_images_are_made_of_each_class_in_turn_and_keyed():
    network = contest().generator.network
    made, targets = make_images(network, 8, 2, 3, CPU, 0, "images")
    assert (made.shape, made.dtype) == ((6, 8, 8, 1), np.uint8)
    assert targets.tolist() == [0, 0, 0, 1, 1, 1]
    assert targets.dtype == np.int64
    assert np.array_equal(made, make_images(network, 8, 2, 3, CPU, 0, "images")[0])
    assert not np.array_equal(made, make_images(network, 8, 2, 3, CPU, 1, "images")[0])
    assert network.training
