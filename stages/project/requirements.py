"""The packages of this environment beside those of a requirements.lock."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from packaging.requirements import Requirement
from packaging.version import Version


def other_versions(lock: str) -> dict[str, tuple[str, str | None]]:
    """By package that differs, the version in the lock and the one here, None where it is not installed.

    What a version says after a "+", such as "+cpu" of torch, does not count: it is another build of the same.

    Args:
        lock: the text of a requirements.lock; lines whose marker does not hold here are left out.
    """
    found = {name: (wanted, _here(name)) for name, wanted in _pinned(lock)}
    return {name: (wanted, here) for name, (wanted, here) in found.items() if here is None or not _same(wanted, here)}


def _pinned(lock: str) -> Iterator[tuple[str, str]]:
    for line in lock.splitlines():
        if text := line.partition("#")[0].strip():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement.name, next(iter(requirement.specifier)).version


def _here(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _same(wanted: str, here: str) -> bool:
    return Version(wanted).public == Version(here).public
