"""Processes without a network, whose requests for hosts are noted: on Linux, where there is a C compiler."""

import os
import shutil
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

# each of them, and not the project, may be why a library reports to nobody
_QUIET = (
    "CI", "DO_NOT_TRACK", "DVC_TEST", "GITHUB_ACTIONS", "MLFLOW_DISABLE_TELEMETRY", "ORT_DISABLE_TELEMETRY",
    "PYTEST_CURRENT_TEST",
)  # fmt: skip
_built = TemporaryDirectory(prefix="no-network-")


@lru_cache(maxsize=1)
def library() -> Path | None:
    """Compile no_network.c; None where that cannot be done."""
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        return None
    built = Path(_built.name, "no_network.so")
    source = Path(__file__).with_suffix(".c")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", built, source, "-ldl"], check=True)
    return built


def needs_library() -> None:
    """Skip the test where hosts cannot be noted."""
    if library() is None:
        pytest.skip("hosts are noted on Linux only, where there is a C compiler (Debian: `apt-get install gcc`)")


def without_network(asked: Path, **more: str) -> dict[str, str]:
    """Return the environment of a process that reaches no other machine and whose lookups are noted in `asked`.

    Where hosts cannot be noted it has the network that there is.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _QUIET}
    noting = {"LD_PRELOAD": str(library()), "HOSTS_ASKED": str(asked)} if library() else {}
    return kept | noting | more


def hosts(asked: Path) -> set[str]:
    """Return the hosts that were asked for."""
    return set(asked.read_text().split()) if asked.exists() else set()
