"""The mirror: a folder with copies of data sets and weights, named by the environment variable `DATA_MIRROR`."""

import os
import re
from pathlib import Path

from stages.project.console import Refusal, bar
from stages.project.paths import home
from stages.sources.entries import CatalogEntry, Release, Unfit

VARIABLE = "DATA_MIRROR"
_SHARD = re.compile(r"(train|test)-(\d{5})-of-(\d{5})\.parquet")
_CHUNK = 1 << 22


def mirror_root() -> Path | None:
    """The mirror's folder (a relative path counts from the repository's root), None where none is set.

    Raises:
        Refusal: it is set, but there is no such folder.
    """
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    root = home() / Path(named).expanduser()
    if not root.is_dir():
        raise Refusal(f"{VARIABLE} is {named!r}, but there is no such folder ({root}); correct it or unset it")
    return root


def find(root: Path, entry: CatalogEntry, release: Release) -> list[Path]:
    """The files of a release in the mirror, empty where it has none of them.

    Archives lie directly in the mirror or in `<mirror>/<data set>/`, Parquet files in the hub's folders.

    Raises:
        Unfit: some are there and others are missing, or one has the wrong size.
    """
    if release.format == "parquet":
        return _shards(root, entry, release)
    for folder in (root / entry.name, root):  # in this order: Fashion-MNIST's files are called as MNIST's
        files = [folder / file.name for file in release.files]
        missing = [file.name for file in files if not file.is_file()]
        if len(missing) < len(files):
            _same_sizes(files, release, missing)
            return files
    return []


def _same_sizes(files: list[Path], release: Release, missing: list[str]) -> None:
    if missing:
        raise Unfit(f"{files[0].parent} lacks {', '.join(missing)}")
    for file, known in zip(files, release.files, strict=True):
        if known.size and file.stat().st_size != known.size:
            raise Unfit(f"{file} has {file.stat().st_size} bytes, expected {known.size}")


def _shards(root: Path, entry: CatalogEntry, release: Release) -> list[Path]:
    for folder in (root / name for name in release.mirror_folders):
        found = {file.name: file for file in folder.glob("*.parquet") if _SHARD.fullmatch(file.name)}
        if found:
            return [file for split in sorted(entry.rows) for file in _split(folder, found, split)]
    return []


def _split(folder: Path, found: dict[str, Path], split: str) -> list[Path]:
    """The shards of one split in order; their names tell how many there must be."""
    mine = sorted(name for name in found if name.startswith(f"{split}-"))
    total = int(mine[0][-13:-8]) if mine else 1
    wanted = [f"{split}-{number:05}-of-{total:05}.parquet" for number in range(total)]
    if mine != wanted:
        odd = sorted(set(wanted) ^ set(mine))
        raise Unfit(f"{folder} does not hold exactly the {split} files it names; look at {', '.join(odd[:3])}")
    return [found[name] for name in wanted]


def copy(files: list[Path], into: Path) -> None:
    """Copy files (their bytes: DVC moves and write-protects what a stage makes) into a folder, with a bar.

    Raises:
        Refusal: one cannot be read or written.
    """
    try:
        with bar(sum(file.stat().st_size for file in files), "copying", "B", scale=True) as shown:
            for file in files:
                with file.open("rb") as source, (into / file.name).open("wb") as target:
                    while piece := source.read(_CHUNK):
                        target.write(piece)
                        shown.update(len(piece))
    except OSError as error:
        raise Refusal(f"the files of the data set cannot be copied to {into}: {error}") from error
