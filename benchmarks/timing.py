"""How the benchmarks measure: in turns, and in processes of their own."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def in_turns(rounds: int, **measured: Callable[[], float]) -> dict[str, float]:
    """The median of each measurement, taken in turns; every value is printed."""
    values: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            values[name].append(measure())
            print(f"  {name}: {values[name][-1]:,.4g}", flush=True)
    return {name: statistics.median(found) for name, found in values.items()}


def seconds_of(work: Callable[[], object]) -> float:
    """Seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def fresh(module: str, *arguments: str) -> tuple[dict[str, Any], float]:
    """What `python -m module` prints last, as JSON, and the process's seconds from its start to its end."""
    started = time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - started
