"""A clock that is set while a training runs changes no result: what is waited for is measured by another one."""

import ast
import itertools
import os
import time
from pathlib import Path

import pytest
from killing import Killed, killed_at, same
from tiny_training import CPU, SETTINGS, a_task

from stages.project.locks import exclusive, turn
from stages.project.stopping import StopFlag
from stages.training.loop import fit
from stages.training.resume import Keeper

YEAR = 365 * 24 * 3600.0
JUMPS = {"back": itertools.count(2e9, -60.0), "a year ahead": itertools.count(2e9, YEAR)}
_OF_THE_WALL = {"time", "time_ns", "now", "utcnow", "today", "st_mtime", "st_ctime", "getmtime", "localtime", "ctime"}


@pytest.mark.parametrize("jump", JUMPS)
def test_a_training_that_is_killed_and_gone_on_with_ends_with_the_same_bits(
    jump: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = fit(a_task(), SETTINGS, CPU, lambda epoch: None)
    monkeypatch.setattr(time, "time", lambda: next(JUMPS[jump]))
    monkeypatch.setattr("stages.training.resume._LARGEST_SHARE", float("inf"))  # keep the state after every epoch
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with exclusive("train-key"), turn(1), pytest.raises(Killed):
        fit(killed_at(a_task(), (3, 1)), SETTINGS, CPU, lambda epoch: None, Keeper(tmp_path / "state", StopFlag()))
    assert (Keeper(tmp_path / "state", StopFlag()).load() or {})["epoch"] >= 2
    with exclusive("train-key"), turn(1):
        found = fit(a_task(), SETTINGS, CPU, lambda epoch: None, Keeper(tmp_path / "state", StopFlag()))
    assert same(found, alone)


def test_which_state_is_the_newest_is_not_told_by_the_clock(tmp_path: Path) -> None:
    keeper = Keeper(tmp_path, StopFlag())
    for epoch in (1, 2):
        keeper.save({"epoch": epoch})
    older, newer = sorted(tmp_path.iterdir(), key=lambda file: file.stat().st_mtime_ns)
    os.utime(newer, (0, 0))
    os.utime(older, (2**31, 2**31))
    assert (Keeper(tmp_path, StopFlag()).load() or {})["epoch"] == 2


def test_only_what_mlflow_is_told_is_of_the_wall_clock(repository: Path) -> None:
    found = {
        path.relative_to(repository).as_posix()
        for path in (repository / "stages").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in _OF_THE_WALL
    }
    assert found == {"stages/tracking/run.py", "stages/tracking/search.py"}  # a metric's time; how long a run is silent
