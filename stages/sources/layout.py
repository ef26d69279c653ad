"""The layout of a user's folder: which folders are splits and which are classes. What could be either is refused."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from stages.project.console import Refusal
from stages.sources.image_files import is_image, skipped_as

# a folder's name without digits, spaces and signs: train, Training_Set, test-images, val2017
_SPLIT = re.compile(
    r"(?:the|my|data|dataset|public|private|images?|imgs?|photos?|pictures?|split)*"
    r"(?:(?P<train>train|training|trn|trainval)|(?P<val>val|valid|validate|validation|dev|development)"
    r"|(?P<test>test|testing|tst|eval|evaluation|holdout))"
    r"(?:data|dataset|set|images?|imgs?|photos?|pictures?|split|part|folder)*"
)
_FIXES = {
    "train": "rename {}/ to train/",
    "test": "rename {}/ to test/",
    "val": "move the images of {}/ into the classes of train/ (`validation` in params.yaml holds some of them out)",
}


def split_folders(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the folder of class folders of each split: `train` and, where there is one, `test`.

    Args:
        root: the user's folder.
        names: of the folders in it. Where they are classes, `root` itself is returned as `train`.

    Raises:
        Refusal: folders are named as splits otherwise than exactly `train` and `test`, or look like splits;
            the message names them and the fix.
    """
    if "train" in names and set(names) <= {"train", "test"}:
        return {name: root / name for name in ("train", "test") if name in names}
    _refuse_names_of_splits(root, names)
    inside = {name: _subfolders(root / name) for name in names if not _holds_images(root / name)}
    for name, below in inside.items():
        if len(splits := [one for one in below if split_kind(one)]) > 1:
            raise Refusal(
                f"{root / name} holds {_listed(splits)}, which are names of splits; put the classes below the splits: "
                f"{root}/train/{name}, {root}/test/{name}"
            )
    if inside and len(inside) == len(names):
        _refuse_same_subfolders(root, inside)
    return {"train": root}


def split_kind(name: str) -> str | None:
    """Return which split a folder of this name is likely to be: train, val or test, in any case and spelling."""
    match = _SPLIT.fullmatch(re.sub(r"[\W\d_]", "", name.casefold()))
    return match.lastgroup if match else None


def _refuse_names_of_splits(root: Path, names: Sequence[str]) -> None:
    """Refuse two names of splits or more, and one that holds only folders; one that holds images is a class."""
    kinds = {name: kind for name in names if (kind := split_kind(name))}
    if len(kinds) < 2 and not any(_subfolders(root / name) and not _holds_images(root / name) for name in kinds):
        return
    fixes = [_FIXES[kind].format(name) for name, kind in kinds.items() if name not in ("train", "test")]
    if others := [name for name in names if name not in kinds]:
        fixes.append(f"take {_listed(others)} out of {root}")
    raise Refusal(
        f"{root} holds {_listed(list(kinds))}, named as splits, where classes stand. Splits are called train and test, "
        f"with one folder for each class in each and nothing beside them: {', '.join(fixes)}; if one is a class, give "
        "it another name"
    )


def _refuse_same_subfolders(root: Path, inside: dict[str, list[str]]) -> None:
    """Refuse folders without images of their own that all hold the same folders, which are then the classes."""
    first, *others = inside.values()
    if others and len(first) > 1 and all(below == first for below in others):
        raise Refusal(
            f"{root} holds {_listed(list(inside))}, with no images of their own but the same folders in each, "
            f"{_listed(first)}: these look like the classes. Let `path` name one of the former, or join them as train "
            "and test"
        )


def _listed(names: Sequence[str], most: int = 5) -> str:
    return ", ".join(f"{name}/" for name in names[:most]) + (", ..." if len(names) > most else "")


def _holds_images(folder: Path) -> bool:
    """Return whether images lie in the folder itself."""
    with os.scandir(folder) as entries:
        return any(is_image(entry.name) and not skipped_as(entry.name) and not entry.is_dir() for entry in entries)


def _subfolders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not skipped_as(entry.name))
