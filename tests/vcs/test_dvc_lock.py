"""dvc.lock, also while DVC writes it."""

import os
import threading
import time
from pathlib import Path

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.vcs.dvc_lock import DvcLock, read_workspace_lock

STAGE = "  train@m{}:\n    cmd: x\n    outs:\n    - path: models/m{}\n      md5: m{:031}\n"
WHOLE = "schema: '2.0'\nstages:\n" + "".join(STAGE.format(number, number, number) for number in range(20))


@pytest.mark.parametrize("text", ["", "schema: '2.0'\n", "schema: '2.0'\nstages:\n"])
def test_an_empty_one_knows_no_stage(text: str) -> None:
    lock = DvcLock(text)
    assert (lock.hashes("train@m", "outs"), lock.params("train@m")) == ({}, {})
    assert lock.is_consistent("evaluate@m", "train@m", Path("models/m"))


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\nstages: {}\n=======\n", "- a\n", "stages: [a]\n", "text", "a: [\n"])
def test_what_is_none_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(UserError, match=r"dvc\.lock is damaged"):
        DvcLock(text)


def test_it_is_read_whole_while_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = WHOLE.splitlines(keepends=True)

    def write() -> None:
        with Path("dvc.lock").open("w") as file:
            for line in lines:
                file.write(line)
                file.flush()
                time.sleep(0.01)

    writer = threading.Thread(target=write)
    writer.start()
    while not Path("dvc.lock").exists():
        time.sleep(0.001)
    assert len(read_workspace_lock().stages) == 20
    writer.join()


def test_one_that_never_stands_still_is_read_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("vision_pipeline.vcs.dvc_lock._MAX_WAIT_S", 0.5)
    Path("dvc.lock").write_text(WHOLE)
    changes = iter(range(1_000_000_000, 2_000_000_000))
    monkeypatch.setattr(
        "vision_pipeline.vcs.dvc_lock.time.sleep", lambda seconds: os.utime("dvc.lock", (0, next(changes)))
    )
    assert read_workspace_lock().hashes("train@m7", "outs") == {"models/m7": f"m{7:031}"}


def test_where_there_is_none_it_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_workspace_lock().stages == {}
