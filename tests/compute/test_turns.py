"""Networks with convolutions are trained, tested and exported in their turn at the cores."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_model import images, tiny_checkpoint
from torch import nn

from stages.compute.device import Machine
from stages.compute.turns import turn_for
from stages.exporting.parity import parity
from stages.models.checkpoint import from_pixels
from stages.models.scoring import logits_of
from stages.project.cores import usable_cores
from stages.project.locks import turn
from stages.project.stopping import StopFlag
from stages.training.fit import fit_task

ALL_CORES = Machine(torch.device("cpu"), "fp32", usable_cores(), "any")
CONVOLUTION, LINEAR = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1)), nn.Linear(1, 1)


class _Taken(Exception):
    pass


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def _taken() -> bool:
    def give_up() -> None:
        raise _Taken

    try:
        with turn(1, give_up):
            return False
    except _Taken:
        return True


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each pass over a test set, whether the one place was taken meanwhile."""
    found: list[bool] = []

    def outputs(network: nn.Module, inputs: np.ndarray, *_: object, **__: object) -> torch.Tensor:
        found.append(_taken())
        return torch.zeros(len(inputs), 2)

    monkeypatch.setattr("stages.models.scoring.outputs", outputs)
    monkeypatch.setattr("stages.exporting.parity.outputs", outputs)
    return found


@pytest.mark.parametrize(("network", "taken"), [(CONVOLUTION, True), (LINEAR, False)])
def test_convolutions_hold_the_place_and_give_it_back(network: nn.Module, taken: bool) -> None:
    with turn_for(network, ALL_CORES):
        assert _taken() is taken
    assert not _taken()


@pytest.mark.parametrize(("architecture", "taken"), [("cnn", True), ("mlp", False)])
def test_a_model_is_tested_in_its_turn(architecture: str, taken: bool, seen: list[bool]) -> None:
    logits_of(tiny_checkpoint(architecture), images(5)[0], False, ALL_CORES, "")
    assert seen == [taken]


@pytest.mark.parametrize(("architecture", "taken"), [("cnn", True), ("mlp", False)])
def test_all_formats_are_run_in_one_turn(architecture: str, taken: bool, seen: list[bool]) -> None:
    network, (pixels, targets) = from_pixels(tiny_checkpoint(architecture)), images(5)
    parity(network, {"one": lambda: network, "two": lambda: network}, pixels, targets, ALL_CORES, 1e-3)
    assert seen == [taken] * 3


@pytest.mark.parametrize(
    ("network", "ranks", "taken"), [(CONVOLUTION, 1, True), (LINEAR, 1, False), (CONVOLUTION, 2, False)]
)
def test_a_training_holds_it_but_the_ranks_of_one_share_the_cores(
    network: nn.Module, ranks: int, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.training.fit.fit", lambda *_: _taken())
    task, world = SimpleNamespace(network=network), SimpleNamespace(size=ranks)
    assert fit_task(task, None, ALL_CORES, None, None, world, StopFlag()) is taken
