"""Get a data set of the catalogue from the first source that has it: mirror, official, stand-in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from stages.project.console import Refusal, say
from stages.project.files import sha256
from stages.project.paths import home
from stages.sources import mirror
from stages.sources.entries import CatalogEntry, Release, Unfit
from stages.sources.fetch import FetchFailed, fetch
from stages.sources.parquet import check
from stages.sources.pixels import judge
from stages.sources.provenance import provenance
from stages.sources.standin import STAND_INS, make_stand_in
from stages.sources.text import TEXTS, text_stand_in

ORDER = {
    "auto": ("mirror", "official", "stand-in"),
    "official": ("official",),
    "mirror": ("mirror",),
    "stand-in": ("stand-in",),
}


def obtain(entry: CatalogEntry, source: str, into: Path) -> dict[str, Any]:
    """Put a data set's files into the empty folder `into` and return their provenance.

    Args:
        entry: of the catalogue.
        source: "auto" (the first of mirror, official and stand-in that works), or the one to use.
        into: receives the files as published, with their names, and nothing else.

    Raises:
        Refusal: the source that was asked for has it not (each attempt and its failure is listed), or
            `DATA_MIRROR` names a folder that is not there.
    """
    tried: list[str] = []
    for way in ORDER[source]:
        about = _WAYS[way](entry, into, tried)
        if about is not None:
            return about
    raise Refusal(
        f"{entry.name}: the source {source!r} did not give the data set:\n"
        + "\n".join(f"  {line}" for line in tried)
        + f"\nCorrect this, or set datasets.{entry.name}.source to auto in params.yaml"
    )


def _from_mirror(entry: CatalogEntry, into: Path, tried: list[str]) -> dict[str, Any] | None:
    root = mirror.mirror_root()
    if root is None:
        tried.append(f"{mirror.VARIABLE} is not set")
        return None
    for release in entry.releases:
        try:
            files = mirror.find(root, entry, release)
            if files:
                mirror.copy(files, into)
                return _accepted(entry, release, "mirror", into)
        except Unfit as unfit:
            _failed(entry, tried, f"mirror: {unfit}", into)
    _failed(entry, tried, f"mirror: {root} has nothing to use for it", into)
    return None


def _from_official(entry: CatalogEntry, into: Path, tried: list[str]) -> dict[str, Any] | None:
    for release in entry.releases:
        try:
            # copied: two experiments may fetch at the same time, and each needs its own
            mirror.copy(_fetched(entry, release), into)
            return _accepted(entry, release, "official", into)
        except FetchFailed as failure:
            for url, why in failure.tried:
                _failed(entry, tried, f"{url}: {why}", into)
        except Unfit as unfit:
            _failed(entry, tried, f"{release.urls[0]}: {unfit}", into)
    return None


def _fetched(entry: CatalogEntry, release: Release) -> list[Path]:
    """All files of a release, downloaded outside the stage's out, which DVC deletes before each run."""
    folder = home() / ".cache" / "downloads" / entry.name
    for file in release.files:
        urls = [url + file.name for url in release.urls]
        used = fetch(urls, folder / file.name, file.size, file.sha256, release.limit)
        say(f"{entry.name}: {used}")
    return [folder / file.name for file in release.files]


def _stand_in(entry: CatalogEntry, into: Path, tried: list[str]) -> dict[str, Any] | None:
    if entry.name in TEXTS:
        return text_stand_in(entry, into)
    if entry.name not in STAND_INS:
        tried.append(f"there is no stand-in for {entry.name}")
        return None
    made = make_stand_in(entry.name, entry.class_names, into)
    return provenance(entry.name, "stand-in", "stand-in", "parquet", into, made.licence, entry.class_names, made.note)


_WAYS: dict[str, Callable[[CatalogEntry, Path, list[str]], dict[str, Any] | None]] = {
    "mirror": _from_mirror,
    "official": _from_official,
    "stand-in": _stand_in,
}


def _failed(entry: CatalogEntry, tried: list[str], why: str, into: Path) -> None:
    """Say and note a failure; leave nothing of it behind."""
    say(f"{entry.name}: {why}")
    tried.append(why)
    for file in into.iterdir():
        file.unlink()


def _accepted(entry: CatalogEntry, release: Release, source: str, into: Path) -> dict[str, Any]:
    """The provenance of files that lie in `into`, once they are found to be what the catalogue says."""
    if release.format == "parquet" and release.columns is not None:
        files = sorted(into.iterdir())
        for file in files:
            check(file, release.columns, entry.class_names)
        status, note = judge(entry, release.columns, files)
    else:
        _same_checksums(release, into)
        status, note = "official", ""
    url = release.urls[0] if source == "official" else ""
    return provenance(entry.name, status, source, release.format, into, entry.licence, entry.class_names, note, url)


def _same_checksums(release: Release, into: Path) -> None:
    for file in release.files:
        if (found := sha256(into / file.name)) != file.sha256:
            raise Unfit(f"{file.name} has the SHA-256 {found}, expected {file.sha256}")
