"""Which networks wait for a turn at the cores, and how many rows go through them at a time."""

from pathlib import Path

import pytest
import torch
from torch import nn

from stages.compute.device import Machine
from stages.compute.inference import rows_at_once
from stages.compute.turns import turn_for
from stages.project.cores import usable_cores
from stages.project.locks import turn

ALL_CORES = Machine(torch.device("cpu"), "fp32", usable_cores(), "any")
CONVOLUTION, LINEAR = nn.Sequential(nn.ReLU(), nn.Conv2d(1, 1, 1)), nn.Linear(1, 1)


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def _free() -> bool:
    class Taken(Exception):
        pass

    def give_up() -> None:
        raise Taken

    try:
        with turn(1, give_up):
            return True
    except Taken:
        return False


def test_a_network_with_convolutions_holds_the_place_and_gives_it_back() -> None:
    with turn_for(CONVOLUTION, ALL_CORES):
        assert not _free()
    assert _free()


def test_a_network_without_any_takes_none() -> None:
    with turn_for(LINEAR, ALL_CORES):
        assert _free()


@pytest.mark.parametrize(
    ("shape", "on_a_cpu", "elsewhere"),
    [([224, 224, 3], 8, 16), ([32, 32, 3], 392, 784), ([28, 28, 1], 512, 1000), ([1024], 1000, 1000)],
)
def test_half_as_many_pixels_go_through_at_a_time_on_a_cpu(shape: list[int], on_a_cpu: int, elsewhere: int) -> None:
    assert rows_at_once(shape, torch.device("cpu")) == on_a_cpu
    assert rows_at_once(shape, torch.device("cuda")) == elsewhere
