"""The processor's cores, and the versions of Python and of the installed packages."""

import os
import platform
from collections.abc import Iterator

_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow")

# importlib.metadata and packaging are imported in the functions: together they take 75 ms, and most stages use neither


def count_available_cpus() -> int:
    """Return how many cores this process may use, in a container or a batch job perhaps fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def get_library_versions() -> dict[str, str]:
    """Return the versions of Python and of the libraries that compute, by name."""
    from importlib.metadata import version

    return {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}}


def find_version_mismatches(lock_text: str) -> dict[str, tuple[str, str | None]]:
    """Return, by package that differs, the version in the lock and the one here, None where it is not installed.

    The part of a version after a "+", such as "+cpu" of torch, is ignored: it names a build of the same version.

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
    from packaging.requirements import Requirement

    for line in lock_text.splitlines():
        if text := line.partition("#")[0].strip():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name, next(iter(requirement.specifier)).version


def _get_installed_version(name: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _is_same_release(pinned: str, installed: str) -> bool:
    from packaging.version import Version

    return Version(pinned).public == Version(installed).public
