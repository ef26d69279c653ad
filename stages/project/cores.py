"""The processor's cores."""

import os


def usable_cores() -> int:
    """Those that this process may use; in a container or a batch job these can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
