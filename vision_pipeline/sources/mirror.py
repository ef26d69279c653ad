"""Find and copy files of the mirror: a folder with copies of data sets and weights, named by `DATA_MIRROR`."""

import os
import re
from pathlib import Path

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.paths import repo_root
from vision_pipeline.core.progress import progress_bar
from vision_pipeline.sources.catalog import CatalogEntry, CatalogMismatch, Release

MIRROR_VARIABLE = "DATA_MIRROR"
_SHARD_NAME = re.compile(r"(train|test)-(\d{5})-of-(\d{5})\.parquet")
_CHUNK_BYTES = 1 << 22


def find_mirror_root() -> Path | None:
    """Return the mirror's folder; None where the environment variable `DATA_MIRROR` is not set.

    A relative path starts at the repository's root.

    Raises:
        UserError: the variable names a folder that does not exist.
    """
    configured = os.environ.get(MIRROR_VARIABLE)
    if not configured:
        return None
    root = repo_root() / Path(configured).expanduser()
    if not root.is_dir():
        raise UserError(
            f"{MIRROR_VARIABLE} is {configured!r}, but there is no such folder ({root}); correct it or unset it"
        )
    return root


def find_in_mirror(root: Path, entry: CatalogEntry, release: Release) -> list[Path]:
    """Return the files of a release in the mirror; an empty list where it has none of them.

    Archives are directly in the mirror or in `<mirror>/<data set>/`, Parquet files in the hub's folders.

    Raises:
        CatalogMismatch: only some of the files exist, or one has the wrong size.
    """
    if release.format == "parquet":
        return _find_shards(root, entry, release)
    for folder in (root / entry.name, root):  # in this order: Fashion-MNIST's files have the names of MNIST's
        files = [folder / file.name for file in release.files]
        missing = [file.name for file in files if not file.is_file()]
        if len(missing) < len(files):
            _check_sizes(files, release, missing)
            return files
    return []


def _check_sizes(files: list[Path], release: Release, missing: list[str]) -> None:
    if missing:
        raise CatalogMismatch(f"{files[0].parent} lacks {', '.join(missing)}")
    for file, remote_file in zip(files, release.files, strict=True):
        if remote_file.size and file.stat().st_size != remote_file.size:
            raise CatalogMismatch(f"{file} has {file.stat().st_size} bytes, expected {remote_file.size}")


def _find_shards(root: Path, entry: CatalogEntry, release: Release) -> list[Path]:
    for folder in (root / name for name in release.mirror_folders):
        shards = {file.name: file for file in folder.glob("*.parquet") if _SHARD_NAME.fullmatch(file.name)}
        if shards:
            return [file for split in sorted(entry.rows) for file in _order_shards(folder, shards, split)]
    return []


def _order_shards(folder: Path, shards: dict[str, Path], split: str) -> list[Path]:
    """Return the shards of one split in order; their names hold their number."""
    names = sorted(name for name in shards if name.startswith(f"{split}-"))
    total = int(names[0][-13:-8]) if names else 1
    expected = [f"{split}-{number:05}-of-{total:05}.parquet" for number in range(total)]
    if names != expected:
        differing = sorted(set(expected) ^ set(names))
        raise CatalogMismatch(
            f"{folder} does not hold exactly the {split} files it names; look at {', '.join(differing[:3])}"
        )
    return [shards[name] for name in expected]


def copy_with_progress(files: list[Path], target_dir: Path) -> None:
    """Copy files into a folder, with a progress bar.

    Their bytes are copied, not linked: DVC moves and write-protects the outputs of a stage.

    Raises:
        UserError: a file cannot be read or written.
    """
    try:
        with progress_bar(sum(file.stat().st_size for file in files), "copying", "B", unit_scale=True) as pbar:
            for file in files:
                with file.open("rb") as source, (target_dir / file.name).open("wb") as target:
                    while piece := source.read(_CHUNK_BYTES):
                        target.write(piece)
                        pbar.update(len(piece))
    except OSError as error:
        raise UserError(f"the files of the data set cannot be copied to {target_dir}: {error}") from error
