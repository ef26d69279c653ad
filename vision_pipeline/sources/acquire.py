"""Get a data set of the catalogue from the first source that has it: mirror, official, stand-in."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import sha256_file
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root
from vision_pipeline.sources import mirror
from vision_pipeline.sources.catalog import CatalogEntry, CatalogMismatch, Release
from vision_pipeline.sources.download import DownloadError, download_file
from vision_pipeline.sources.hub_parquet import check_schema
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
        entry: of the catalogue.
        source: "auto" (the first of mirror, official and stand-in that works), or the one to use.
        target_dir: receives the files as published, with their names, and nothing else.

    Raises:
        DataError: the source that was asked for has it not (each attempt and its failure is listed), or
            `DATA_MIRROR` names a folder that is not there.
    """
    failures: list[str] = []
    for provider in PROVIDER_ORDER[source]:
        metadata = _PROVIDERS[provider](entry, target_dir, failures)
        if metadata is not None:
            return metadata
    raise DataError(
        f"{entry.name}: the source {source!r} did not give the data set:\n"
        + "\n".join(f"  {line}" for line in failures)
        + f"\nCorrect this, or set datasets.{entry.name}.source to auto in params.yaml"
    )


def _copy_from_mirror(entry: CatalogEntry, target_dir: Path, failures: list[str]) -> dict[str, Any] | None:
    root = mirror.find_mirror_root()
    if root is None:
        failures.append(f"{mirror.MIRROR_VARIABLE} is not set")
        return None
    for release in entry.releases:
        try:
            files = mirror.find_in_mirror(root, entry, release)
            if files:
                mirror.copy_with_progress(files, target_dir)
                return _accept_files(entry, release, "mirror", target_dir)
        except CatalogMismatch as mismatch:
            _record_failure(entry, failures, f"mirror: {mismatch}", target_dir)
    _record_failure(entry, failures, f"mirror: {root} has nothing to use for it", target_dir)
    return None


def _download_official(entry: CatalogEntry, target_dir: Path, failures: list[str]) -> dict[str, Any] | None:
    for release in entry.releases:
        try:
            # copied: two experiments may fetch at the same time, and each needs its own
            mirror.copy_with_progress(_download_release(entry, release), target_dir)
            return _accept_files(entry, release, "official", target_dir)
        except DownloadError as failure:
            for url, reason in failure.attempts:
                _record_failure(entry, failures, f"{url}: {reason}", target_dir)
        except CatalogMismatch as mismatch:
            _record_failure(entry, failures, f"{release.urls[0]}: {mismatch}", target_dir)
    return None


def _download_release(entry: CatalogEntry, release: Release) -> list[Path]:
    """All files of a release, downloaded outside the stage's out, which DVC deletes before each run."""
    folder = repo_root() / ".cache" / "downloads" / entry.name
    for file in release.files:
        urls = [url + file.name for url in release.urls]
        source_url = download_file(urls, folder / file.name, size=file.size, sha256=file.sha256, max_bytes=release.limit)
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
        entry.name, status="stand-in", source="stand-in", data_format="parquet", folder=target_dir, licence=stand_in.licence, class_names=entry.class_names, note=stand_in.note
    )


_PROVIDERS: dict[str, Callable[[CatalogEntry, Path, list[str]], dict[str, Any] | None]] = {
    "mirror": _copy_from_mirror,
    "official": _download_official,
    "stand-in": _make_stand_in,
}


def _record_failure(entry: CatalogEntry, failures: list[str], reason: str, target_dir: Path) -> None:
    """Say and note a failure; leave nothing of it behind."""
    logger.info(f"{entry.name}: {reason}")
    failures.append(reason)
    for file in target_dir.iterdir():
        file.unlink()


def _accept_files(entry: CatalogEntry, release: Release, source: str, target_dir: Path) -> dict[str, Any]:
    """The provenance of files that lie in `target_dir`, once they are found to be what the catalogue says."""
    if release.format == "parquet" and release.columns is not None:
        files = sorted(target_dir.iterdir())
        for file in files:
            check_schema(file, release.columns, entry.class_names)
        status, note = classify_release(entry, release.columns, files)
    else:
        _check_checksums(release, target_dir)
        status, note = "official", ""
    url = release.urls[0] if source == "official" else ""
    return make_provenance(
        entry.name, status=status, source=source, data_format=release.format, folder=target_dir, licence=entry.licence, class_names=entry.class_names, note=note, url=url
    )


def _check_checksums(release: Release, target_dir: Path) -> None:
    for file in release.files:
        if (digest := sha256_file(target_dir / file.name)) != file.sha256:
            raise CatalogMismatch(f"{file.name} has the SHA-256 {digest}, expected {file.sha256}")
