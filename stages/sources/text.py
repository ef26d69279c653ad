"""Texts: the user's own, from a file or an address, and the stand-in for a public one."""

import shutil
from pathlib import Path
from typing import Any

from stages.project.console import Refusal
from stages.project.paths import home
from stages.sources.entries import CatalogEntry
from stages.sources.fetch import FetchFailed, fetch
from stages.sources.provenance import provenance

_MOST_BYTES = 256 << 20
_SONNETS = Path(__file__).with_name("sonnets.txt")
TEXTS = {"shakespeare": (_SONNETS, "public domain (W. Shakespeare)", "14 of Shakespeare's sonnets, 9 kB")}


def own_text(name: str, path: str, into: Path) -> dict[str, Any]:
    """Put the user's text into the empty folder `into` and return its provenance.

    Args:
        name: of the data set.
        path: a file, or an http(s) address, of whose contents nothing is known but what is recorded here.
        into: receives the file as it is.

    Raises:
        Refusal: it cannot be read or fetched, is larger than 256 MiB, is empty, or is not UTF-8.
    """
    url = path if path.startswith(("http://", "https://")) else ""
    file = _fetched(name, url) if url else Path(path)
    _check(path, file)
    shutil.copyfile(file, into / "text.txt")
    return provenance(name, "own", "address" if url else "file", "text", into, "yours", [], url=url)


def text_stand_in(entry: CatalogEntry, into: Path) -> dict[str, Any]:
    """Put the stand-in of a public text into the empty folder `into` and return its provenance."""
    file, licence, note = TEXTS[entry.name]
    shutil.copyfile(file, into / file.name)
    return provenance(entry.name, "stand-in", "stand-in", "text", into, licence, [], note)


def _fetched(name: str, url: str) -> Path:
    file = home() / ".cache" / "downloads" / name / "text.txt"
    try:
        fetch([url], file, None, None, _MOST_BYTES)
    except FetchFailed as failed:
        raise Refusal(f"datasets.{name}.path: {failed}") from failed
    return file


def _check(path: str, file: Path) -> None:
    try:
        size = file.stat().st_size
        if size > _MOST_BYTES:
            raise Refusal(f"{path} has {size:,} bytes; a text may have {_MOST_BYTES:,}")
        if size == 0:
            raise Refusal(f"{path} is empty")
        file.read_text(encoding="utf-8")
    except OSError as error:
        raise Refusal(f"{path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refusal(f"{path} is not UTF-8: {error.reason} at byte {error.start}; save it as UTF-8") from error
