"""Import a user's text from a file or an address, and copy the stand-in for a public one."""

import shutil
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.paths import repo_root
from vision_pipeline.sources.catalog import CatalogEntry
from vision_pipeline.sources.download import DownloadError, download_file
from vision_pipeline.sources.provenance import make_provenance

_MAX_TEXT_BYTES = 256 << 20
_SONNETS = Path(__file__).with_name("sonnets.txt")
TEXT_STAND_INS = {"shakespeare": (_SONNETS, "public domain (W. Shakespeare)", "14 of Shakespeare's sonnets, 9 kB")}


def import_text(name: str, path: str, target_dir: Path) -> dict[str, Any]:
    """Put the user's text into the empty folder `target_dir` and return its provenance.

    Args:
        name: name of the data set.
        path: a file, or an http(s) address; the digest of its content is recorded in the provenance.
        target_dir: receives the file unchanged.

    Raises:
        DataError: the text cannot be read or downloaded, is larger than 256 MiB, is empty, or is not UTF-8.
    """
    url = path if path.startswith(("http://", "https://")) else ""
    file = _download_text(name, url) if url else Path(path)
    _check_text(path, file)
    shutil.copyfile(file, target_dir / "text.txt")
    return make_provenance(
        name,
        status="own",
        source="address" if url else "file",
        data_format="text",
        folder=target_dir,
        licence="yours",
        class_names=[],
        url=url,
    )


def copy_text_stand_in(entry: CatalogEntry, target_dir: Path) -> dict[str, Any]:
    """Put the stand-in of a public text into the empty folder `target_dir` and return its provenance."""
    file, licence, note = TEXT_STAND_INS[entry.name]
    shutil.copyfile(file, target_dir / file.name)
    return make_provenance(
        entry.name,
        status="stand-in",
        source="stand-in",
        data_format="text",
        folder=target_dir,
        licence=licence,
        class_names=[],
        note=note,
    )


def _download_text(name: str, url: str) -> Path:
    file = repo_root() / ".cache" / "downloads" / name / "text.txt"
    try:
        download_file([url], file, size=None, sha256=None, max_bytes=_MAX_TEXT_BYTES)
    except DownloadError as error:
        raise DataError(f"datasets.{name}.path: {error}") from error
    return file


def _check_text(path: str, file: Path) -> None:
    try:
        size = file.stat().st_size
        if size > _MAX_TEXT_BYTES:
            raise DataError(f"{path} has {size:,} bytes; a text may have {_MAX_TEXT_BYTES:,}")
        if size == 0:
            raise DataError(f"{path} is empty")
        file.read_text(encoding="utf-8")
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8") from error
