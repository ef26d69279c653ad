"""Pack a user's folder of class folders into hub-layout Parquet, so that one reader serves all data sets.

The layout decides which folders are splits and which are classes. A folder that could be either is an error.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import write_csv
from vision_pipeline.core.limits import MAX_IMAGE_BYTES
from vision_pipeline.core.logging import logger
from vision_pipeline.core.progress import track
from vision_pipeline.sources.hub_parquet import write_hub_parquet
from vision_pipeline.sources.image_files import (
    CONVERT_HINT,
    HIDDEN_LABEL,
    UnusedFiles,
    format_suffix_counts,
    format_utf8_path,
    is_image,
    list_files,
    match_skip_pattern,
    select_images,
)
from vision_pipeline.sources.provenance import LEFT_OUT_FILE

# a folder's name without digits, spaces and signs: train, Training_Set, test-images, val2017
_SPLIT_NAME = re.compile(
    r"(?:the|my|data|dataset|public|private|images?|imgs?|photos?|pictures?|split)*"
    r"(?:(?P<train>train|training|trn|trainval)|(?P<val>val|valid|validate|validation|dev|development)"
    r"|(?P<test>test|testing|tst|eval|evaluation|holdout))"
    r"(?:data|dataset|set|images?|imgs?|photos?|pictures?|split|part|folder)*"
)
_DVC_CACHE_PATH = re.compile(r"/[0-9a-f]{2}/[0-9a-f]{30}$")  # the end of a file's path in DVC's cache
_SPLIT_FIXES = {
    "train": "rename {}/ to train/",
    "test": "rename {}/ to test/",
    "val": "move the images of {}/ into the classes of train/ (`validation` in params.yaml holds some of them out)",
}


def find_split_folders(root: Path, names: Sequence[str]) -> dict[str, Path]:
    """Return the folder of class folders of each split: `train` and, where there is one, `test`.

    Args:
        root: the user's folder.
        names: names of the folders in it. Where they are classes, `root` itself is returned as `train`.

    Raises:
        DataError: folders have names of splits other than exactly `train` and `test`, or look like splits;
            the message names them and the fix.
    """
    if "train" in names and set(names) <= {"train", "test"}:
        return {name: root / name for name in ("train", "test") if name in names}
    _check_split_names(root, names)
    subfolders_by_name = {name: _list_subfolders(root / name) for name in names if not _has_own_images(root / name)}
    for name, subfolders in subfolders_by_name.items():
        if len(splits := [subfolder for subfolder in subfolders if guess_split(subfolder)]) > 1:
            raise DataError(
                f"{root / name} holds {_format_names(splits)}, which are names of splits; put the classes below the "
                f"splits: {root}/train/{name}, {root}/test/{name}"
            )
    if subfolders_by_name and len(subfolders_by_name) == len(names):
        _check_shared_subfolders(root, subfolders_by_name)
    return {"train": root}


def guess_split(name: str) -> str | None:
    """Return the split that a folder of this name probably is: train, val or test, in any case and spelling."""
    match = _SPLIT_NAME.fullmatch(re.sub(r"[\W\d_]", "", name.casefold()))
    return match.lastgroup if match else None


def _check_split_names(root: Path, names: Sequence[str]) -> None:
    """Check that not two folders have names of splits, nor one that holds only folders; one with images is a class.

    Raises:
        DataError: the message names the folders and the fix.
    """
    kinds = {name: kind for name in names if (kind := guess_split(name))}
    if len(kinds) < 2 and not any(_list_subfolders(root / name) and not _has_own_images(root / name) for name in kinds):
        return
    fixes = [_SPLIT_FIXES[kind].format(name) for name, kind in kinds.items() if name not in ("train", "test")]
    if others := [name for name in names if name not in kinds]:
        fixes.append(f"take {_format_names(others)} out of {root}")
    raise DataError(
        f"{root} holds {_format_names(list(kinds))}, named as splits, where classes stand. Splits are called train and "
        f"test, with one folder for each class in each and nothing beside them: {', '.join(fixes)}; if one is a class, "
        "give it another name"
    )


def _check_shared_subfolders(root: Path, subfolders_by_name: dict[str, list[str]]) -> None:
    """Check that folders without images of their own do not all hold the same folders, which would be the classes.

    Raises:
        DataError: the message names the folders and the fix.
    """
    first, *others = subfolders_by_name.values()
    if others and len(first) > 1 and all(subfolders == first for subfolders in others):
        raise DataError(
            f"{root} holds {_format_names(list(subfolders_by_name))}, with no images of their own but the same folders "
            f"in each, {_format_names(first)}: these look like the classes. Let `path` name one of the former, or join "
            "them as train and test"
        )


def _format_names(names: Sequence[str], max_names: int = 5) -> str:
    return ", ".join(f"{name}/" for name in names[:max_names]) + (", ..." if len(names) > max_names else "")


def _has_own_images(folder: Path) -> bool:
    """Return whether there are images in the folder itself."""
    with os.scandir(folder) as entries:
        return any(
            is_image(entry.name) and not match_skip_pattern(entry.name) and not entry.is_dir() for entry in entries
        )


def _list_subfolders(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not match_skip_pattern(entry.name))


def pack_image_folder(root: Path, target_dir: Path) -> list[str]:
    """Write the images of `root` to `train-00000-of-00001.parquet` (and `test-...`), and return the class names.

    `root` holds one folder per class, or `train/` and optionally `test/`, each with one folder per class.
    Rows are sorted by class and path, so the same images give the same bytes. Hidden and system files are skipped.
    Images that are not used are listed with the reason in `left_out.csv`, where there are any.

    Args:
        root: the user's folder.
        target_dir: an existing folder that receives the files.

    Raises:
        DataError: there is no such folder, its layout is ambiguous, it has fewer than two classes, a class without
            images, or a link that leads out of it; the message names the folder or file.
    """
    if not root.is_dir():
        raise DataError(f"{root} is not a folder; `path` names a folder with one folder of images per class")
    unused = UnusedFiles()
    folder_names = _list_folders(root, unused)
    splits = find_split_folders(root, folder_names)
    classes = _resolve_classes(
        splits, [folder_names if folder == root else _list_folders(folder, unused) for folder in splits.values()]
    )
    for split, folder in splits.items():
        files = _list_class_files(root, folder, classes, unused)
        rows = ((_read_content(file), format_utf8_path(file.relative_to(folder)), label) for file, label in files)
        write_hub_parquet(
            target_dir / f"{split}-00000-of-00001.parquet", track(rows, f"packing {split}", len(files)), classes
        )
    _report_unused(root, target_dir, list(splits.values()), unused)
    return classes


def _resolve_classes(splits: dict[str, Path], folders: list[list[str]]) -> list[str]:
    """Return the folders of train, which are the classes.

    Raises:
        DataError: train has fewer than two, or test has one that train lacks.
    """
    classes, *others = folders
    if len(classes) < 2:
        names = ", ".join(classes) or "none"
        raise DataError(f"{splits['train']} has too few class folders (found: {names}); it needs one for each class")
    if extra := [name for names in others for name in names if name not in classes]:
        raise DataError(f"{splits['test'] / extra[0]} is a class that train/ lacks; classes: {', '.join(classes)}")
    return classes


def _report_unused(root: Path, target_dir: Path, folders: Sequence[Path], unused: UnusedFiles) -> None:
    """Log which files are left out, and list the images among them by their paths within the split."""
    for line in unused.iter_lines(root):
        logger.info(line)
    rows = []
    for file, reason in unused.iter_rejects():
        base = next(folder for folder in (*folders, root) if file.is_relative_to(folder))
        rows.append((format_utf8_path(file.relative_to(base)), reason))
    if rows:
        write_csv(target_dir / LEFT_OUT_FILE, ("file", "reason"), sorted(rows))


def _read_content(file: Path) -> bytes:
    """Return a file's bytes, at most one more than an image may have: enough for `prepare` to reject and list it."""
    with file.open("rb") as stream:
        return stream.read(MAX_IMAGE_BYTES + 1)


def _list_folders(folder: Path, unused: UnusedFiles) -> list[str]:
    """Return the names of the folders in `folder`, sorted; hidden ones and images beside them go to `unused`."""
    names = []
    for path in sorted(folder.iterdir()):
        if pattern := match_skip_pattern(path.name):
            unused.skipped[pattern] += 1
            if pattern == HIDDEN_LABEL and _contains_images(path):
                logger.warning(
                    f"the folder {format_utf8_path(path)} begins with a dot and is left out; rename it if it is a class"
                )
        elif path.is_dir():
            names.append(_check_class_name(path))
        elif is_image(path.name):
            unused.outside_classes.append(path)
    return names


def _check_class_name(path: Path) -> str:
    if path.is_symlink():
        raise DataError(f"{path} is a link to a folder elsewhere; put the files themselves there")
    if format_utf8_path(path) != path.as_posix():
        raise DataError(
            f"{format_utf8_path(path)} has a name that is not UTF-8; a class is called as its folder: rename it"
        )
    return path.name


def _contains_images(folder: Path) -> bool:
    return any(is_image(name) for _, _, names in os.walk(folder) for name in names)


def _make_link_error(root: Path, path: Path) -> DataError:
    if _DVC_CACHE_PATH.search(os.path.realpath(path)):
        return DataError(
            f"{path} is a link into DVC's cache (`cache.type` is symlink); `dvc unprotect {root}` puts the files "
            "themselves there; after `dvc config --local cache.type reflink,hardlink,copy`, `dvc checkout --relink "
            f"{root}` does, from then on"
        )
    return DataError(f"{path} is a link to a folder or to a file elsewhere; put the files themselves there")


def _list_class_files(root: Path, folder: Path, classes: list[str], unused: UnusedFiles) -> list[tuple[Path, int]]:
    """Return the image files of all classes with their labels; other files go to `unused`."""
    files = []
    for label, name in enumerate(classes):
        class_files = list_files(folder / name, unused) if (folder / name).is_dir() else []
        for path in class_files:
            if path.is_symlink() and (path.is_dir() or not _points_into(root, path)):
                raise _make_link_error(root, path)
        unsupported_before = len(unused.unsupported)
        images = select_images(class_files, unused)
        if not images:
            raise _make_empty_class_error(folder / name, unused.unsupported[unsupported_before:])
        files += [(file, label) for file in images]
    return files


def _make_empty_class_error(folder: Path, unsupported: list[Path]) -> DataError:
    if unsupported:
        return DataError(
            f"{folder} has no images in a format that is read, only {format_suffix_counts(unsupported)}; {CONVERT_HINT}"
        )
    return DataError(f"{folder} has no images; put some in, or remove the class")


def _points_into(root: Path, link: Path) -> bool:
    try:
        return link.resolve().is_relative_to(root.resolve())
    except (RuntimeError, OSError):  # a link that leads to itself
        return False
