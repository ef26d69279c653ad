"""Which hosts the stages ask for: those of the sources, and no library's maker."""

import subprocess
import sys
from pathlib import Path

from no_network import hosts, needs_library, without_network

_STAGES_IN_TURN = """
from whole_project import STAGES, exit_code

for stage in STAGES:
    assert exit_code(stage) == 0, stage
"""


def python(script: str, folder: Path, **environment: str) -> set[str]:
    """Run a script in `folder` without a network; the hosts that it asked for."""
    asked = folder / "hosts"
    subprocess.run([sys.executable, "-c", script], cwd=folder, env=without_network(asked, **environment), check=True)
    return hosts(asked)


def test_a_process_that_asks_for_a_host_is_noted_and_refused(tmp_path: Path) -> None:
    needs_library()
    script = """
import socket

def tried(address):
    try:
        socket.create_connection(address, 1)
    except OSError:
        return
    raise SystemExit(f"{address} answered")

tried(("example.org", 80))
tried(("192.0.2.1", 80))
with socket.create_server(("127.0.0.1", 0)) as server:
    socket.create_connection(("localhost", server.getsockname()[1])).close()
"""
    assert python(script, tmp_path) == {"example.org", "192.0.2.1"}


def test_no_stage_of_ones_own_images_asks_for_a_host(tmp_path: Path, repository: Path) -> None:
    from whole_project import make_project

    root, cache = tmp_path / "project", tmp_path / "cache"
    root.mkdir()
    make_project(root, repository)
    found = f"{repository}:{Path(__file__).parent}"
    assert python(_STAGES_IN_TURN, root, PYTHONPATH=found, XDG_CACHE_HOME=str(cache), TRACKING="strict") == set()
    # what a process leaves there that ends before it asks: ONNX Runtime waits for seconds
    assert {folder.name for folder in cache.iterdir()} <= {"matplotlib"}
