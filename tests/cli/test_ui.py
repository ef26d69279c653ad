"""`vision ui`: MLflow's page, while the command runs and no longer."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/health", timeout=1).close()
    except OSError:
        return False
    return True


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT])
def test_the_server_ends_with_the_command(how: signal.Signals, tmp_path: Path, repository: Path) -> None:
    shutil.copy(repository / "params.yaml", tmp_path)
    kept = {name: value for name, value in os.environ.items() if name not in ("MLFLOW_TRACKING_URI", "TRACKING")}
    environment = {**kept, "PYTHONPATH": str(repository), "DVC_ROOT": str(tmp_path), "no_proxy": "127.0.0.1"}
    command = subprocess.Popen(
        [sys.executable, "-m", "vision_pipeline.cli.main", "ui", "--no-browser"], cwd=tmp_path, env=environment,
        stdout=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert command.stdout is not None
    match = re.search(r"http://127.0.0.1:\d+", command.stdout.readline())
    assert match
    try:
        until(lambda: answers(match[0]))
    finally:
        (os.killpg if how == signal.SIGINT else os.kill)(command.pid, how)  # Ctrl-C reaches all of them
    until(lambda: not answers(match[0]))
    command.wait(30)


def until(true) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.2)
