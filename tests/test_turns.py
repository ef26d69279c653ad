"""What computes for long does it in its turn at the cores, whatever the network."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_model import images, tiny_checkpoint

from stages.compute.device import Machine
from stages.exporting.parity import parity
from stages.models.checkpoint import from_pixels
from stages.models.scoring import logits_of
from stages.project.cores import usable_cores
from stages.project.locks import turn
from stages.project.stopping import StopFlag
from stages.training.fit import fit_task

ALL_CORES = Machine(torch.device("cpu"), "fp32", usable_cores(), "any")


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
    """For each forward pass over a test set, whether the one place was taken meanwhile."""
    found: list[bool] = []

    def outputs(network: torch.nn.Module, inputs: np.ndarray, *_: object, **__: object) -> torch.Tensor:
        found.append(_taken())
        return torch.zeros(len(inputs), 2)

    monkeypatch.setattr("stages.models.scoring.outputs", outputs)
    monkeypatch.setattr("stages.exporting.parity.outputs", outputs)
    return found


def test_a_test_of_a_model(seen: list[bool]) -> None:
    logits_of(tiny_checkpoint(), images(5)[0], False, ALL_CORES, "")
    assert seen == [True]
    assert not _taken()


def test_an_export_s_formats(seen: list[bool]) -> None:
    network, (pixels, targets) = from_pixels(tiny_checkpoint()), images(5)
    parity(network, {"one": lambda: network, "two": lambda: network}, pixels, targets, ALL_CORES, 1e-3)
    assert seen == [True, True, True]
    assert not _taken()


@pytest.mark.parametrize(("ranks", "taken"), [(1, True), (2, False)])
def test_a_training_but_the_ranks_of_one_share_the_cores(
    ranks: int, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.training.fit.fit", lambda *_: _taken())
    world = SimpleNamespace(size=ranks)
    assert fit_task(None, None, ALL_CORES, None, None, world, StopFlag()) is taken
    assert not _taken()
