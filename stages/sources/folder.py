"""A user's own folder of class folders, packed into hub-layout Parquet so that one reader serves all."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from stages.project.console import Refusal, progress, say, warn
from stages.project.files import write_csv
from stages.sources.image_files import (
    CONVERT,
    HIDDEN,
    LeftOut,
    files_below,
    is_image,
    only_images,
    skipped_as,
    suffixes,
)
from stages.sources.layout import split_folders
from stages.sources.parquet import write_rows
from stages.sources.provenance import LEFT_OUT

_MOST_BYTES = 64 << 20  # of one image file; prepare reads no larger ones
_CACHED = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}$")  # where DVC's cache keeps a file


def pack_folder(root: Path, into: Path) -> list[str]:
    """Write the images under `root` to `into/train-00000-of-00001.parquet` (and `test-...`); returns the class names.

    `root` holds one folder per class, or `train/` and, if wanted, `test/`, each with one folder per class.
    Rows are sorted by class and path, so the same images give the same bytes. Hidden files and those of systems are
    skipped. Images that are not used are listed with the reason in `into/left_out.csv`, where there are any.

    Raises:
        Refusal: there is no such folder, its layout is not clear, fewer than two classes, a class without images, a
            link that leads out of the folder; the message names it.
    """
    if not root.is_dir():
        raise Refusal(f"{root} is not a folder; `path` names a folder with one folder of images per class")
    left = LeftOut()
    top = _folders(root, left)
    splits = split_folders(root, top)
    classes = _classes(splits, [top if folder == root else _folders(folder, left) for folder in splits.values()])
    for split, folder in splits.items():
        files = _files(root, folder, classes, left)
        rows = ((_content(file), _name(file.relative_to(folder)), label) for file, label in files)
        write_rows(into / f"{split}-00000-of-00001.parquet", progress(rows, f"packing {split}", len(files)), classes)
    _report(root, into, list(splits.values()), left)
    return classes


def _classes(splits: dict[str, Path], folders: list[list[str]]) -> list[str]:
    """Return the folders of train, which are the classes; those of test are among them."""
    classes, *others = folders
    if len(classes) < 2:
        names = ", ".join(classes) or "none"
        raise Refusal(f"{splits['train']} has too few class folders (found: {names}); it needs one for each class")
    if odd := [name for names in others for name in names if name not in classes]:
        raise Refusal(f"{splits['test'] / odd[0]} is a class that train/ lacks; classes: {', '.join(classes)}")
    return classes


def _report(root: Path, into: Path, folders: Sequence[Path], left: LeftOut) -> None:
    """Print what is left out, and list the images among it by their names within the split."""
    for line in left.lines(root):
        say(line)
    rows = []
    for file, reason in left.rejects():
        base = next(folder for folder in (*folders, root) if file.is_relative_to(folder))
        rows.append((_name(file.relative_to(base)), reason))
    if rows:
        write_csv(into / LEFT_OUT, ("file", "reason"), sorted(rows))


def _content(file: Path) -> bytes:
    """Of a file that is too large for an image just enough for `prepare` to see that, and to list it."""
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES + 1)


def _name(path: Path) -> str:
    """Bytes of a name that are no UTF-8 are replaced: Parquet holds UTF-8 alone."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _folders(folder: Path, left: LeftOut) -> list[str]:
    """Return the names of the folders in `folder`, sorted; hidden ones and images beside them are noted in `left`."""
    names = []
    for path in sorted(folder.iterdir()):
        if pattern := skipped_as(path.name):
            left.skipped[pattern] += 1
            if pattern == HIDDEN and _any_image(path):
                warn(f"the folder {_name(path)} begins with a dot and is left out; rename it if it is a class")
        elif path.is_dir():
            names.append(_class_name(path))
        elif is_image(path.name):
            left.loose.append(path)
    return names


def _class_name(path: Path) -> str:
    if path.is_symlink():
        raise Refusal(f"{path} is a link to a folder elsewhere; put the files themselves there")
    if _name(path) != path.as_posix():
        raise Refusal(f"{_name(path)} has a name that is not UTF-8; a class is called as its folder: rename it")
    return path.name


def _any_image(folder: Path) -> bool:
    return any(is_image(name) for _, _, names in os.walk(folder) for name in names)


def _link(root: Path, path: Path) -> Refusal:
    if _CACHED.search(os.path.realpath(path)):
        return Refusal(
            f"{path} is a link into DVC's cache (`cache.type` is symlink); `dvc unprotect {root}` puts the files "
            "themselves there; after `dvc config --local cache.type reflink,hardlink,copy`, `dvc checkout --relink "
            f"{root}` does, from then on"
        )
    return Refusal(f"{path} is a link to a folder or to a file elsewhere; put the files themselves there")


def _files(root: Path, folder: Path, classes: list[str], left: LeftOut) -> list[tuple[Path, int]]:
    """Return the image files of all classes with their labels; what is none goes to `left`."""
    files = []
    for label, name in enumerate(classes):
        of_class = files_below(folder / name, left) if (folder / name).is_dir() else []
        for path in of_class:
            if path.is_symlink() and (path.is_dir() or not _leads_into(root, path)):
                raise _link(root, path)
        before = len(left.unread)
        images = only_images(of_class, left)
        if not images:
            raise _no_images(folder / name, left.unread[before:])
        files += [(file, label) for file in images]
    return files


def _no_images(folder: Path, unread: list[Path]) -> Refusal:
    if unread:
        return Refusal(f"{folder} has no images in a format that is read, only {suffixes(unread)}; {CONVERT}")
    return Refusal(f"{folder} has no images; put some in, or remove the class")


def _leads_into(root: Path, link: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root.resolve())
    except (RuntimeError, OSError):  # it leads to itself
        return False
