"""Acquire a data set of the catalogue from the first source that has it: mirror, official, stand-in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root
from vision_pipeline.sources.catalog import CatalogEntry, CatalogMismatch, Release, check_sha256
from vision_pipeline.sources.download import DownloadError, download_file
from vision_pipeline.sources.hub_parquet import check_schema
from vision_pipeline.sources.mirror import MIRROR_VARIABLE, copy_with_progress, find_in_mirror, find_mirror_root
from vision_pipeline.sources.provenance import make_provenance
from vision_pipeline.sources.release_check import classify_release
from vision_pipeline.sources.standins.datasets import STAND_INS, make_stand_in
from vision_pipeline.sources.text_files import TEXT_STAND_INS, copy_text_stand_in

PROVIDER_ORDER = {
    "auto": ("mirror", "official", "stand-in"),
    "official": ("official",),
    "mirror": ("mirror",),
    "stand-in": ("stand-in",),
}


def acquire_dataset(entry: CatalogEntry, source: str, target_dir: Path) -> dict[str, Any]:
    """Put a data set's files into the empty folder `target_dir` and return their provenance.

    Args:
        entry: the data set's entry in the catalogue.
        source: "auto" (the first of mirror, official and stand-in that works), or the one to use.
        target_dir: receives the files as published, with their names, and nothing else.

    Raises:
        DataError: no allowed source has the data set; the message lists each attempt and its failure.
        UserError: `DATA_MIRROR` names a folder that does not exist.
    """
    failures: list[str] = []
    for provider in PROVIDER_ORDER[source]:
        logger.debug(f"{entry.name}: trying the source {provider}")
        provenance = _PROVIDERS[provider](entry, target_dir, failures)
        if provenance is not None:
            return provenance
    raise DataError(
        f"{entry.name}: the source {source!r} did not give the data set:\n"
        + "\n".join(f"  {line}" for line in failures)
        + f"\nCorrect this, or set datasets.{entry.name}.source to auto in params.yaml"
    )


def _copy_from_mirror(entry: CatalogEntry, target_dir: Path, failures: list[str]) -> dict[str, Any] | None:
    root = find_mirror_root()
    if root is None:
        failures.append(f"{MIRROR_VARIABLE} is not set")
        return None
    for release in entry.releases:
        try:
            files = find_in_mirror(root, entry, release)
            if files:
                copy_with_progress(files, target_dir)
                return _accept_files(entry, release, "mirror", target_dir)
        except CatalogMismatch as mismatch:
            _record_failure(entry, failures, f"mirror: {mismatch}", target_dir)
    _record_failure(entry, failures, f"mirror: {root} has nothing to use for it", target_dir)
    return None


def _download_official(entry: CatalogEntry, target_dir: Path, failures: list[str]) -> dict[str, Any] | None:
    for release in entry.releases:
        try:
            # a copy: two experiments may download at the same time, and each needs its own files
            copy_with_progress(_download_release(entry, release), target_dir)
            return _accept_files(entry, release, "official", target_dir)
        except DownloadError as failure:
            for url, reason in failure.attempts:
                _record_failure(entry, failures, f"{url}: {reason}", target_dir)
        except CatalogMismatch as mismatch:
            _record_failure(entry, failures, f"{release.urls[0]}: {mismatch}", target_dir)
    return None


def _download_release(entry: CatalogEntry, release: Release) -> list[Path]:
    """Download all files of a release to the cache, because DVC deletes the stage's out before each run."""
    folder = repo_root() / ".cache" / "downloads" / entry.name
    for file in release.files:
        urls = [url + file.name for url in release.urls]
        source_url = download_file(
            urls, folder / file.name, size=file.size, sha256=file.sha256, max_bytes=release.limit
        )
        logger.info(f"{entry.name}: {source_url}")
    return [folder / file.name for file in release.files]


def _make_stand_in(entry: CatalogEntry, target_dir: Path, failures: list[str]) -> dict[str, Any] | None:
    if entry.name in TEXT_STAND_INS:
        return copy_text_stand_in(entry, target_dir)
    if entry.name not in STAND_INS:
        failures.append(f"there is no stand-in for {entry.name}")
        return None
    stand_in = make_stand_in(entry.name, entry.class_names, target_dir)
    return make_provenance(
        entry.name,
        status="stand-in",
        source="stand-in",
        data_format="parquet",
        folder=target_dir,
        licence=stand_in.licence,
        class_names=entry.class_names,
        note=stand_in.note,
    )


_PROVIDERS: dict[str, Callable[[CatalogEntry, Path, list[str]], dict[str, Any] | None]] = {
    "mirror": _copy_from_mirror,
    "official": _download_official,
    "stand-in": _make_stand_in,
}


def _record_failure(entry: CatalogEntry, failures: list[str], reason: str, target_dir: Path) -> None:
    """Log and record a failure, and delete the files that it left in `target_dir`."""
    logger.info(f"{entry.name}: {reason}")
    failures.append(reason)
    for file in target_dir.iterdir():
        file.unlink()


def _accept_files(entry: CatalogEntry, release: Release, source: str, target_dir: Path) -> dict[str, Any]:
    """Return the provenance of the files in `target_dir`, after a check that they fit the catalogue.

    Raises:
        CatalogMismatch: they do not fit.
    """
    if release.format == "parquet" and release.columns is not None:
        files = sorted(target_dir.iterdir())
        for file in files:
            check_schema(file, release.columns, entry.class_names)
        status, note = classify_release(entry, release.columns, files)
    else:
        for remote_file in release.files:
            check_sha256(target_dir / remote_file.name, remote_file.sha256)
        status, note = "official", ""
    url = release.urls[0] if source == "official" else ""
    return make_provenance(
        entry.name,
        status=status,
        source=source,
        data_format=release.format,
        folder=target_dir,
        licence=entry.licence,
        class_names=entry.class_names,
        note=note,
        url=url,
    )
