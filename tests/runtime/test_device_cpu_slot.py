"""Networks with convolutions are trained, tested and exported in their turn at the cores."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_model import images, tiny_checkpoint
from torch import nn

from vision_pipeline.core.locks import cpu_slot
from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.core.system import count_available_cpus
from vision_pipeline.export.parity import check_parity
from vision_pipeline.models.checkpoint import build_pixel_model
from vision_pipeline.models.scoring import predict_checkpoint
from vision_pipeline.runtime.device import Runtime, cpu_slot_for
from vision_pipeline.training.trainer import train_model

ALL_CORES = Runtime(torch.device("cpu"), "fp32", count_available_cpus(), "any")
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
        with cpu_slot(1, give_up):
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

    monkeypatch.setattr("vision_pipeline.models.scoring.predict_logits", outputs)
    monkeypatch.setattr("vision_pipeline.export.parity.predict_logits", outputs)
    return found


@pytest.mark.parametrize(("network", "taken"), [(CONVOLUTION, True), (LINEAR, False)])
def test_convolutions_hold_the_place_and_give_it_back(network: nn.Module, taken: bool) -> None:
    with cpu_slot_for(network, ALL_CORES):
        assert _taken() is taken
    assert not _taken()


@pytest.mark.parametrize(("architecture", "taken"), [("cnn", True), ("mlp", False)])
def test_a_model_is_tested_in_its_turn(architecture: str, taken: bool, seen: list[bool]) -> None:
    predict_checkpoint(tiny_checkpoint(architecture), images(5)[0], are_features=False, runtime=ALL_CORES, tta="")
    assert seen == [taken]


@pytest.mark.parametrize(("architecture", "taken"), [("cnn", True), ("mlp", False)])
def test_all_formats_are_run_in_one_turn(architecture: str, taken: bool, seen: list[bool]) -> None:
    network, (pixels, targets) = build_pixel_model(tiny_checkpoint(architecture)), images(5)
    formats = {"one": lambda: network, "two": lambda: network}
    check_parity(network, formats, pixels, targets, runtime=ALL_CORES, max_logit_gap=1e-3)
    assert seen == [taken] * 3


@pytest.mark.parametrize(
    ("network", "ranks", "taken"), [(CONVOLUTION, 1, True), (LINEAR, 1, False), (CONVOLUTION, 2, False)]
)
def test_a_training_holds_it_but_the_ranks_of_one_share_the_cores(
    network: nn.Module, ranks: int, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vision_pipeline.training.trainer.fit", lambda *_, **__: _taken())
    task, world = SimpleNamespace(network=network), SimpleNamespace(size=ranks)
    assert (
        train_model(task, None, ALL_CORES, after_epoch=None, checkpointer=None, world=world, shutdown=ShutdownFlag())
        is taken
    )
