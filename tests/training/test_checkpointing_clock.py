"""A clock that is set while a training runs changes no result, because waiting is measured by another clock."""

import ast
import itertools
import os
import time
from pathlib import Path

import pytest
from interruption import Killed, killed_at, same
from tiny_training import CPU, SETTINGS, a_task

from vision_pipeline.core.locks import cpu_slot, file_lock
from vision_pipeline.core.signals import ShutdownFlag
from vision_pipeline.training.checkpointing import CheckpointManager
from vision_pipeline.training.trainer import fit

YEAR = 365 * 24 * 3600.0
JUMPS = {"back": itertools.count(2e9, -60.0), "a year ahead": itertools.count(2e9, YEAR)}
_OF_THE_WALL = {"time", "time_ns", "now", "utcnow", "today", "st_mtime", "st_ctime", "getmtime", "localtime", "ctime"}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_training_that_is_killed_and_gone_on_with_ends_with_the_same_bits(
    jump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = fit(a_task(), SETTINGS, CPU, lambda epoch: None)
    monkeypatch.setattr(time, "time", lambda: next(JUMPS[jump]))
    monkeypatch.setattr("vision_pipeline.training.checkpointing._MAX_SAVE_SHARE", float("inf"))  # save every epoch
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with file_lock("train-key"), cpu_slot(1), pytest.raises(Killed):
        fit(
            killed_at(a_task(), (3, 1)),
            SETTINGS,
            CPU,
            lambda epoch: None,
            checkpointer=CheckpointManager(tmp_path / "state", ShutdownFlag()),
        )
    assert (CheckpointManager(tmp_path / "state", ShutdownFlag()).load() or {})["epoch"] >= 2
    with file_lock("train-key"), cpu_slot(1):
        resumed = fit(
            a_task(),
            SETTINGS,
            CPU,
            lambda epoch: None,
            checkpointer=CheckpointManager(tmp_path / "state", ShutdownFlag()),
        )
    assert same(resumed, alone)


def test_which_state_is_the_newest_is_not_told_by_the_clock(tmp_path: Path) -> None:
    checkpointer = CheckpointManager(tmp_path, ShutdownFlag())
    for epoch in (1, 2):
        checkpointer.save({"epoch": epoch})
    older, newer = sorted(tmp_path.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    os.utime(newer, (0, 0))
    os.utime(older, (2**31, 2**31))
    assert (CheckpointManager(tmp_path, ShutdownFlag()).load() or {})["epoch"] == 2


def test_only_what_mlflow_is_told_is_of_the_wall_clock(repository: Path) -> None:
    wall_clock_users = {
        path.relative_to(repository).as_posix()
        for path in (repository / "vision_pipeline").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in _OF_THE_WALL
    }
    assert wall_clock_users == {
        "vision_pipeline/tracking/run.py",
        "vision_pipeline/tracking/search.py",
    }  # a metric's time; how long a run is silent
