"""Locks between processes."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from vision_pipeline.core.locks import cpu_slot, file_lock


class _Waited(Exception):
    pass


def _give_up() -> None:
    raise _Waited


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))


def test_who_waits_for_a_lock_is_told_by_whom_and_may_do_something(capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as other:
        other.enter_context(file_lock("one"))
        asked = []

        def leave() -> None:
            asked.append(True)
            other.close()

        with file_lock("one", "trains it", leave), pytest.raises(_Waited), file_lock("one", "", _give_up):
            pass
    assert asked == [True]
    assert capsys.readouterr().out == f"waiting for process {os.getpid()}, which trains it\n"


@pytest.mark.parametrize("places", [1, 2, 5])
def test_as_many_as_there_are_places_have_their_turn(places: int, capsys: pytest.CaptureFixture[str]) -> None:
    with ExitStack() as held:
        for _ in range(places):
            held.enter_context(cpu_slot(places, _give_up))
        assert "turn" not in capsys.readouterr().err
        with pytest.raises(_Waited), cpu_slot(places, _give_up):
            pass
        assert "waiting for its turn" in "".join(capsys.readouterr())
    with cpu_slot(places, _give_up):  # all are free again
        pass


def test_a_place_is_had_as_soon_as_it_is_free() -> None:
    with ExitStack() as other:
        other.enter_context(cpu_slot(1, _give_up))
        asked = []

        def leave() -> None:
            asked.append(True)
            other.close()

        with cpu_slot(1, leave), pytest.raises(_Waited), cpu_slot(1, _give_up):
            pass
    assert asked == [True]


def _free(places: int) -> int:
    """How many of the places can be had now."""
    with ExitStack() as held:
        for count in range(places + 1):
            try:
                held.enter_context(cpu_slot(places, _give_up))
            except _Waited:
                return count
    raise AssertionError(f"more than {places} of {places} places were had")


def test_one_turn_takes_one_place_and_no_second_when_another_becomes_free() -> None:
    first = ExitStack()
    first.enter_context(cpu_slot(2, _give_up))
    assert _free(2) == 1
    with cpu_slot(2, _give_up):
        assert _free(2) == 0
        first.close()
        assert _free(2) == 1
    assert _free(2) == 2


def test_an_exclusive_lock_says_who_holds_it(tmp_path: Path) -> None:
    with file_lock("training", "trains"):
        assert (tmp_path / ".dvc/tmp/locks/training").read_text().isdigit()
