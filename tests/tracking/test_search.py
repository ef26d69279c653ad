"""Whether a run's process lives: the lock that it holds tells, whatever its number is in this container."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.tracking.sample_runs import KEY, runs, train
from vision_pipeline.core.locks import file_lock
from vision_pipeline.tracking.search import close_dead_runs, create_run, find_dead_runs, lock_tag, stale_run_ids
from vision_pipeline.tracking.store import open_store

ROOT = Path(__file__).resolve().parents[2]
TRAINING = (
    "import sys; from vision_pipeline.core.locks import file_lock; from tests.tracking.sample_runs import KEY, train\n"
    "with file_lock(f'train-{KEY}'), train(): print('trains', flush=True); sys.stdin.read()"
)


@contextmanager
def training() -> Iterator[subprocess.Popen[str]]:
    """A process that trains until it is killed."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"}
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", TRAINING], env=environment, stdin=pipe, stdout=pipe, text=True
    ) as process:
        try:
            while process.stdout.readline().strip() != "trains":
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def set_process(pid: int) -> None:
    (run,) = runs()
    open_store().client.set_tag(run.info.run_id, "host.pid", str(pid))


def test_a_living_training_is_not_closed_where_its_process_has_no_number(workspace):
    with training() as process:
        set_process(2**22 + 1)  # as in another container: no process here has that number
        assert close_dead_runs(open_store()) == 0
        process.kill()
        process.wait()
        assert close_dead_runs(open_store()) == 1


def test_a_dead_training_is_closed_although_another_process_has_its_number(workspace):
    with training() as process:
        process.kill()
    set_process(os.getpid())
    assert close_dead_runs(open_store()) == 1


def test_a_killed_training_is_gone_on_with_though_a_process_has_its_number(workspace):
    with training() as process:
        process.kill()
    set_process(os.getpid())
    with file_lock(f"train-{KEY}"), train() as run:
        pass
    (logged,) = runs()
    assert (logged.info.run_id, logged.info.status, logged.data.tags["resumed"]) == (run.id, "FINISHED", "true")


def test_the_lock_is_found_again_in_a_folder_that_was_moved(workspace, monkeypatch, tmp_path_factory):
    with training() as process:
        process.kill()
    set_process(os.getpid())
    other = tmp_path_factory.mktemp("other") / "moved"
    shutil.move(workspace, other)
    monkeypatch.chdir(other)
    monkeypatch.setenv("DVC_ROOT", str(other))
    assert len(stale_run_ids(open_store(), KEY)) == 1


def test_where_the_lock_is_not_to_be_seen_a_run_is_left_for_a_day(workspace, monkeypatch):
    store = open_store()
    with file_lock(f"train-{KEY}"):
        tags = lock_tag(KEY)
    run = create_run(store, {"model": "mnist-mlp"}, {"key": KEY})
    for tag, value in (tags | {"host.lock": "1 /another/container/train"}).items():
        store.client.set_tag(run, tag, value)
    assert runs()[0].data.tags["host"] == socket.gethostname()
    assert find_dead_runs(store) == []
    monkeypatch.setattr("vision_pipeline.tracking.search._MAX_SILENCE_MS", -1)
    assert find_dead_runs(store) == [run]


@pytest.mark.skipif(
    shutil.which("unshare") is None or subprocess.run(["unshare", "-pf", "true"], check=False).returncode != 0,
    reason="no other space of processes may be made here",
)
def test_a_sync_in_another_container_leaves_a_living_training_alone(workspace):
    code = (
        "from vision_pipeline.tracking.search import close_dead_runs\n"
        "from vision_pipeline.tracking.store import open_store\n"
        "print(close_dead_runs(open_store()))"
    )
    command = ["unshare", "-pf", "--mount-proc", sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with training():
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert result.stdout.strip() == "0"
        assert [run.info.status for run in runs()] == ["RUNNING"]
