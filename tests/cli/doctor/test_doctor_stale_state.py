"""What `vision doctor` finds of processes that were killed."""

import fcntl
import json
import os
import socket
from pathlib import Path

from doctor_checks import dead_process, only
from tiny_project import git

from vision_pipeline.cli.doctor import stale_state
from vision_pipeline.cli.doctor.finding import NOTE, OK, PROBLEM


def test_a_lock_that_is_held_is_noted_and_a_dead_holders_is_not_waited_for(place: Path) -> None:
    tmp = place / ".dvc/tmp"
    (tmp / "lock").write_text(f"{os.getpid()}\n")
    assert only(stale_state.check_locks())[0] == OK  # the file stays when the lock is gone
    with (tmp / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert only(stale_state.check_locks()) == (
            NOTE, f"held, so something runs here: lock (process {os.getpid()})", "wait for it"
        )  # fmt: skip
    dead = dead_process()
    (tmp / "lock").write_text(f"/x/.dvc/tmp/lock|{socket.gethostname()}|{dead}|1234")
    assert only(stale_state.check_locks())[0] == PROBLEM


def test_a_lock_of_another_host_is_not_called_dead(place: Path) -> None:
    (place / ".dvc/tmp/lock").write_text(f"/x/.dvc/tmp/lock|another-host|{dead_process()}|1234")
    assert only(stale_state.check_locks())[0] == OK


def test_what_dvc_noted_of_processes_that_are_gone(place: Path) -> None:
    file, dead = place / ".dvc/tmp/rwlock", dead_process()
    held = {"write": {"/a": {"pid": os.getpid(), "cmd": "x"}}, "read": {"/b": [{"pid": dead, "cmd": "x"}]}}
    file.write_text(json.dumps(held))
    level, message, _ = only(stale_state.check_locks())
    assert (level, message) == (NOTE, f".dvc/tmp/rwlock names processes that are gone ({dead})")
    file.write_text("{")
    assert only(stale_state.check_locks())[0] == PROBLEM


def test_what_was_half_written_is_noted_unless_its_process_runs(place: Path) -> None:
    (place / f"data/.a.csv.{os.getpid()}.partial").touch()
    assert only(stale_state.check_partial_files())[0] == OK
    (place / f"data/.b.csv.{dead_process()}.partial").touch()
    (place / "models/.m.partial").mkdir(parents=True)
    level, message, fix = only(stale_state.check_partial_files())
    assert level == NOTE
    assert "models/.m.partial" in message and ".b.csv" in message and ".a.csv" not in message
    assert "models/.m.partial" in fix


def test_what_git_has_put_aside_is_noted(place: Path) -> None:
    assert only(stale_state.check_stash())[0] == OK
    (place / "params.yaml").write_text("changed")
    git("stash", "push", "-q")
    level, message, _ = only(stale_state.check_stash())
    assert level == NOTE and message.startswith("git's stash has 1;")
