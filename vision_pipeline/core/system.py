"""The processor's cores."""

import os
import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from packaging.version import Version


def count_available_cpus() -> int:
    """Those that this process may use; in a container or a batch job these can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


# MERGED The versions that a result was computed with.
_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow")


def get_library_versions() -> dict[str, str]:
    """Of Python and the libraries that computed, by name."""
    return {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}}


# MERGED The packages of this environment beside those of a requirements.lock.
def find_version_mismatches(lock_text: str) -> dict[str, tuple[str, str | None]]:
    """By package that differs, the version in the lock and the one here, None where it is not installed.

    What a version says after a "+", such as "+cpu" of torch, does not count: it is another build of the same.

    Args:
        lock_text: the text of a requirements.lock; lines whose marker does not hold here are left out.
    """
    versions = {name: (pinned, _get_installed_version(name)) for name, pinned in _iter_pins(lock_text)}
    return {
        name: (pinned, installed)
        for name, (pinned, installed) in versions.items()
        if installed is None or not _is_same_release(pinned, installed)
    }


def _iter_pins(lock_text: str) -> Iterator[tuple[str, str]]:
    for line in lock_text.splitlines():
        if text := line.partition("#")[0].strip():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name, next(iter(requirement.specifier)).version


def _get_installed_version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_same_release(pinned: str, installed: str) -> bool:
    return Version(pinned).public == Version(installed).public
