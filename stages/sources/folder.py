"""A user's own folder of class folders, packed into hub-layout Parquet so that one reader serves all."""

import os
from collections.abc import Iterator
from pathlib import Path

from stages.project.console import Refusal, progress, say
from stages.sources.parquet import write_rows

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")
_MOST_BYTES = 64 << 20  # of one image file; prepare reads no larger ones


def pack_folder(root: Path, into: Path) -> list[str]:
    """Write the images under `root` to `into/train-00000-of-00001.parquet` (and `test-...`); returns the class names.

    `root` holds one folder per class, or `train/` and, if wanted, `test/`, each with one folder per class.
    Rows are sorted by class and path, so the same images give the same bytes. Hidden files are skipped.

    Raises:
        Refusal: there is no such folder, fewer than two classes, a class without images, a link that leads out
            of the folder; the message names it.
    """
    if not root.is_dir():
        raise Refusal(f"{root} is not a folder; `path` names a folder with one folder of images per class")
    splits = _splits(root)
    classes = _folders(splits["train"])
    if len(classes) < 2:
        found = ", ".join(classes) or "none"
        raise Refusal(f"{splits['train']} has too few class folders (found: {found}); it needs one for each class")
    others: list[Path] = []
    for split, folder in splits.items():
        files = _files(root, folder, classes, others)
        rows = ((_content(file), _name(file.relative_to(folder)), label) for file, label in files)
        write_rows(into / f"{split}-00000-of-00001.parquet", progress(rows, f"packing {split}", len(files)), classes)
    if others:
        say(f"{root}: {len(others)} files are no images by their names and are left out, such as {_name(others[0])}")
    return classes


def _content(file: Path) -> bytes:
    """Of a file that is too large for an image just enough for `prepare` to see that, and to list it."""
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES + 1)


def _name(path: Path) -> str:
    """Bytes of a name that are no UTF-8 are replaced: Parquet holds UTF-8 alone."""
    return path.as_posix().encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _splits(root: Path) -> dict[str, Path]:
    names = _folders(root)
    if "train" not in names:
        return {"train": root}
    if odd := [name for name in names if name not in ("train", "test")]:
        raise Refusal(
            f"{root / odd[0]} stands beside train/, where only test/ may stand: validation images are held out of "
            "train by `validation` in params.yaml, so move it into train/ or rename it to test/"
        )
    return {name: root / name for name in ("train", "test") if name in names}


def _folders(folder: Path) -> list[str]:
    found = sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    for path in found:
        if path.is_symlink():
            raise _link(path)
        if _name(path) != path.as_posix():
            raise Refusal(f"{_name(path)} has a name that is not UTF-8; a class is called as its folder: rename it")
    return [path.name for path in found]


def _link(path: Path) -> Refusal:
    return Refusal(f"{path} is a link to a folder or to a file elsewhere; put the files themselves there")


def _files(root: Path, folder: Path, classes: list[str], others: list[Path]) -> list[tuple[Path, int]]:
    """The image files of all classes with their labels; what is no image by its suffix goes to `others`."""
    if odd := [name for name in _folders(folder) if name not in classes]:
        raise Refusal(f"{folder / odd[0]} is a class that train/ lacks; classes: {', '.join(classes)}")
    files = []
    for label, name in enumerate(classes):
        mine = sorted(_walk(root, folder / name)) if (folder / name).is_dir() else []
        images = [file for file in mine if file.suffix.lower() in SUFFIXES]
        others += [file for file in mine if file.suffix.lower() not in SUFFIXES]
        if not images:
            raise Refusal(f"{folder / name} has no images; put some in, or remove the class")
        files += [(file, label) for file in images]
    return files


def _walk(root: Path, folder: Path) -> Iterator[Path]:
    """Every file below a folder that is not hidden; links are followed only to files within `root`."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for path in (Path(here) / name for name in [*folders, *files] if not name.startswith(".")):
            if path.is_symlink() and (path.is_dir() or not _leads_into(root, path)):
                raise _link(path)
            if path.is_file():
                yield path


def _leads_into(root: Path, link: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root.resolve())
    except (RuntimeError, OSError):  # it leads to itself
        return False
