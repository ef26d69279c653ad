"""How many stages this machine runs at once."""

import os
from pathlib import Path

from stages.project.cores import usable_cores

_GPUS = Path("/proc/driver/nvidia/gpus")  # a folder each; asking torch takes a second
_ENOUGH = 4  # without GPUs: trainings take turns on the cores, and few other stages are ready together


def stages_at_once() -> int:
    """One stage for each GPU that may be used, else one for two cores; at least 2, for many stages mostly wait."""
    return max(2, gpus(), min(_ENOUGH, usable_cores() // 2))


def gpus() -> int:
    """Those that the environment leaves to this process."""
    there = len(list(_GPUS.iterdir())) if _GPUS.is_dir() else 0
    asked = os.environ.get("CUDA_VISIBLE_DEVICES")
    if asked is None:
        return there
    return min(there, len([number for number in asked.split(",") if number.strip() not in ("", "-1")]))
