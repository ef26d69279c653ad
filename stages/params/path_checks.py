"""Checks of the keys that name a file or a folder: how it is written, and whether it is there."""

import os
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path

from stages.params.data import Dataset, Policy
from stages.params.schema import Params
from stages.project.paths import PREPARED, RAW, home

_FETCHED = ("http://", "https://")  # what a text may be fetched from


def path_checks(params: Params) -> Iterator[str]:
    """Yield one line for each path that is written as none, or lies where the pipeline writes."""
    for name, dataset in params.datasets.items():
        yield from _written(f"datasets.{name}.path", dataset.path, dataset.kind)
    for name, policy in params.policies.items():
        yield from _written(f"policies.{name}.style.pictures", policy.style.pictures, "pictures")


def absent(datasets: Mapping[str, Dataset], policies: Mapping[str, Policy]) -> Iterator[str]:
    """Yield one line for each path where nothing is, or not what the key needs."""
    for name, dataset in datasets.items():
        if line := absent_path(f"datasets.{name}.path", dataset.path, dataset.kind):
            yield line
    for name, policy in policies.items():
        if line := absent_path(f"policies.{name}.style.pictures", policy.style.pictures, "pictures"):
            yield line


def absent_path(key: str, path: str, kind: str) -> str | None:
    """Return what to say of a path where nothing is, or a file where a folder is needed or the reverse."""
    if kind == "text" and path.startswith(_FETCHED):
        return None
    place = Path(path)
    if not place.exists():
        return f"{key} is {path!r}, which {_absence(place)}"
    if kind == "folder" and not place.is_dir():
        return f"{key} is {path!r}, a file; allowed: a folder with one folder of images per class (unpack an archive)"
    if kind in ("catalog", "text", "copy") and place.is_dir():
        return f"{key} is {path!r}, a folder; allowed: a file"
    return None


def _absence(place: Path) -> str:
    """Return why a path is not here, and a hint."""
    if home() != Path.cwd() and (home() / place).exists():
        return (
            f"is in {home()} but not in the copy that this experiment runs in, for neither git nor DVC tracks it; "
            "`vision check` there says what to do"
        )
    return f"does not exist; {_near(place)}"


def _near(place: Path) -> str:
    """Return a hint: what lies beside and has nearly the name."""
    there = [path.name for path in place.parent.iterdir()] if place.parent.is_dir() else []
    near = get_close_matches(place.name, there, n=1)
    return f"did you mean {str(place.parent / near[0])!r}?" if near else "a path counts from the repository's root"


def _written(key: str, path: str, kind: str) -> Iterator[str]:
    if "://" in path and not (kind == "text" and path.startswith(_FETCHED)):
        allowed = "a file of yours, or an http(s) address" if kind == "text" else "a path on this machine"
        yield f"{key} is {path!r}, an address; allowed: {allowed}, so copy it here first and name the copy"
    elif path.startswith(("~", "$")):
        yield f"{key} is {path!r}; `~` and variables are not filled in: write it in full, such as {_in_full(path)!r}"
    elif _overlaps(path):
        yield (
            f"{key} is {path!r}, where the pipeline deletes and writes its own files ({RAW}, {PREPARED}); move yours "
            "to a folder of their own, such as my_images, and name that"
        )


def _in_full(path: str) -> str:
    full = os.path.expandvars(path.replace("~", "$HOME", 1))
    return "/home/me/my_images" if "$" in full else full


def _overlaps(path: str) -> bool:
    """Return whether it lies in, or holds, a folder that download and prepare write."""
    full, *written = (Path(os.path.normpath(Path.cwd() / one)) for one in (path, RAW, PREPARED))
    return any(full.is_relative_to(folder) or folder.is_relative_to(full) for folder in written)
