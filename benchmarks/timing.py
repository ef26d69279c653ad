"""Measuring in turns, and in processes of their own."""

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any


def measure_in_turns(rounds: int, **measurements: Callable[[], float]) -> dict[str, float]:
    """Take measurements in turns, print every value, and return the median of each."""
    values: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(rounds):
        for name, measure in measurements.items():
            values[name].append(measure())
            print(f"  {name}: {values[name][-1]:,.4g}", flush=True)
    return {name: statistics.median(samples) for name, samples in values.items()}


def measure_seconds(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run_in_new_process(module: str, *arguments: str) -> tuple[dict[str, Any], float]:
    """Run `python -m module`; return its last line, which is JSON, and its seconds from start to end."""
    started = time.perf_counter()
    command = [sys.executable, "-m", module, *arguments]
    process = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(process.stdout.splitlines()[-1]), time.perf_counter() - started
