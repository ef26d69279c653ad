"""How long stages took, kept for `vision plan`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vision_pipeline.core.stage_main import run_with_exit_code
from vision_pipeline.core.timings import StageTiming, load_timings

ROOT = Path(__file__).resolve().parents[2]
NOTED = Path(".cache/durations.json")


@pytest.fixture(autouse=True)
def workspace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setenv("DVC_STAGE", "dvc.yaml:train@a")


def ended(work) -> None:
    with pytest.raises(SystemExit):
        run_with_exit_code(work)


def test_a_stage_that_succeeds_is_noted_with_its_epochs():
    ended(lambda: 7)
    (noted,) = load_timings()["train@a"]
    assert noted.epochs == 7
    assert noted.startup_s > 0 and noted.run_s >= 0


def test_only_the_last_five_times_are_kept():
    for epochs in range(1, 8):
        ended(lambda epochs=epochs: epochs)
    assert [one.epochs for one in load_timings()["train@a"]] == [3, 4, 5, 6, 7]


def test_a_stage_that_fails_and_a_command_that_is_no_stage_are_not_noted(monkeypatch):
    with pytest.raises(ZeroDivisionError):
        run_with_exit_code(lambda: 1 // 0)
    monkeypatch.delenv("DVC_STAGE")
    ended(lambda: None)
    assert load_timings() == {}
    assert not NOTED.exists()


def test_in_a_throw_away_copy_it_is_noted_in_the_original(tmp_path, monkeypatch):
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "original"))
    ended(lambda: None)
    assert (tmp_path / "original" / NOTED).exists()


@pytest.mark.parametrize("content", ["no JSON", "[]", '{"train@a": [{"seconds": 1}]}', '{"train@a": 1}'])
def test_a_file_that_is_broken_counts_as_empty_and_is_written_anew(content, capsys):
    NOTED.parent.mkdir()
    NOTED.write_text(content)
    assert load_timings() == {}
    assert "durations.json is not as this version writes it" in capsys.readouterr().err
    ended(lambda: 3)
    assert [one.epochs for one in load_timings()["train@a"]] == [3]


def test_a_stage_does_not_fail_because_its_time_cannot_be_kept(capsys):
    NOTED.mkdir(parents=True)
    with pytest.raises(SystemExit) as end:
        run_with_exit_code(lambda: 1)
    assert end.value.code == 0
    assert "`vision plan` does not learn of train@a" in capsys.readouterr().err


def test_stages_that_end_at_once_are_all_noted():
    code = "from vision_pipeline.core.stage_main import run_with_exit_code; run_with_exit_code(lambda: 1)"
    running = [
        subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT), "DVC_STAGE": name})
        for name in ("a", "b", "c", "d")
    ]
    assert [process.wait() for process in running] == [0] * 4
    assert set(load_timings()) == set(json.loads(NOTED.read_text())) == {"a", "b", "c", "d"}
    assert all(isinstance(one, StageTiming) for kept in load_timings().values() for one in kept)
