"""Report whether better data or weights than those at hand are available now.

Every run of the pipeline checks this, so it is cheap: it compares names and sizes, and reads no contents.
"""

import threading
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from vision_pipeline.config.data import AnyDatasetConfig, BackboneConfig
from vision_pipeline.core.files import read_json
from vision_pipeline.core.logging import logger
from vision_pipeline.sources.catalog import CatalogEntry, CatalogMismatch, Release, WeightsEntry, read_entry
from vision_pipeline.sources.download import http_opener
from vision_pipeline.sources.mirror import find_in_mirror, find_mirror_root
from vision_pipeline.sources.pretrained_weights import find_weights_in_mirror, find_weights_in_package
from vision_pipeline.sources.provenance import PROVENANCE_FILE

_PROVIDER_PHRASES = {
    "mirror": "the mirror has",
    "official": "the official source can be reached and has",
    "package": "an installed package has",
}
HOST_TIMEOUT_SECONDS = 3.0
TOTAL_TIMEOUT_SECONDS = 6.0


def find_better_source(
    name: str, entry: CatalogEntry, *, requested: str, raw_dir: Path, probe_network: bool
) -> str | None:
    """Return the source that would replace the raw data at hand if they were downloaded now.

    Args:
        name: name of the data set in `params.yaml`.
        entry: its entry in the catalogue.
        requested: its `source` in `params.yaml`.
        raw_dir: folder of all raw data; the data set is in `raw_dir / name`.
        probe_network: also probe the official hosts, with one small request each and 6 s in total.

    Returns:
        "mirror" or "official", "stand-in" where `requested` is the stand-in; None if nothing would change.

    Raises:
        UserError: `DATA_MIRROR` names a folder that does not exist, or the provenance at hand is damaged.
    """
    if not (raw_dir / name / "provenance.json").exists():
        return None  # nothing at hand: the stage runs anyway
    provenance = read_json(raw_dir / name / "provenance.json")
    if requested == "stand-in":
        return "stand-in" if provenance["source"] != "stand-in" else None
    if requested in ("auto", "mirror") and _mirror_differs(entry, provenance, raw_dir / name):
        return "mirror"
    satisfied = provenance["source"] != "stand-in" if requested == "auto" else provenance["source"] == requested
    if requested == "mirror" or satisfied or not probe_network:
        return None
    urls = [release.urls[0] + release.files[0].name for release in entry.releases]
    return "official" if _any_reachable(urls) else None


def find_better_weights(name: str, requested: str, weights_dir: Path, probe_network: bool) -> str | None:
    """Return the source that would replace a backbone's weights at hand; only random weights are replaced.

    Args:
        name: name of the backbone in `params.yaml`.
        requested: its `source` in `params.yaml`.
        weights_dir: folder of all weights; the backbone's are in `weights_dir / name`.
        probe_network: also probe the publisher's host.

    Returns:
        "mirror", "package" or "official"; None if nothing would change.

    Raises:
        UserError: `DATA_MIRROR` names a folder that does not exist, or the provenance at hand is damaged.
    """
    if requested == "random" or not (weights_dir / name / "provenance.json").exists():
        return None
    if read_json(weights_dir / name / "provenance.json")["status"] != "random":
        return None
    entry = WeightsEntry.model_validate(read_json(weights_dir / name / "published.json"))
    for provider, lookup in (("mirror", find_weights_in_mirror), ("package", find_weights_in_package)):
        try:
            if requested in ("auto", provider) and lookup(entry):
                return provider
        except CatalogMismatch:
            continue
    try_official = requested in ("auto", "official") and probe_network and entry.url
    return "official" if try_official and _any_reachable([str(entry.url)]) else None


def _mirror_differs(entry: CatalogEntry, provenance: dict[str, Any], folder: Path) -> bool:
    """Return whether the mirror has other files than those at hand, and these are not the official ones."""
    root = find_mirror_root()
    if root is None:
        return False
    offers = [files for release in entry.releases if (files := _find_release_files(root, entry, release))]
    if provenance["source"] == "mirror":
        # compared with all of them, because a broken one would be offered for ever
        sizes = _read_sizes(folder, provenance)
        return all({file.name: file.stat().st_size for file in files} != sizes for files in offers) and bool(offers)
    return bool(offers) and provenance["status"] != "official"


def _find_release_files(root: Path, entry: CatalogEntry, release: Release) -> list[Path]:
    try:
        return find_in_mirror(root, entry, release)
    except CatalogMismatch:
        return []


def _read_sizes(folder: Path, provenance: dict[str, Any]) -> dict[str, int]:
    return {name: (folder / name).stat().st_size for name in provenance["files"] if (folder / name).exists()}


def _any_reachable(urls: list[str]) -> bool:
    """Return whether one of the addresses answers a HEAD request; all hosts are probed in parallel, each once."""
    reachable: list[str] = []
    hosts = {urlsplit(url).netloc: url for url in reversed(urls)}
    # daemon threads: looking up a host's name has no time limit, and must not delay the exit
    threads = [threading.Thread(target=_probe, args=(url, reachable), daemon=True) for url in hosts.values()]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + TOTAL_TIMEOUT_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
        if reachable:
            return True
    return False


def _probe(url: str, reachable: list[str]) -> None:
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "vision-pipeline"})
        with http_opener().open(request, timeout=HOST_TIMEOUT_SECONDS):
            reachable.append(url)
    except Exception as error:  # a host counts as unreachable whatever goes wrong
        logger.debug(f"{url} cannot be reached: {error}")


@dataclass(frozen=True)
class DataStatus:
    """The state of one data set or of one backbone's weights, as a line for the user.

    Attributes:
        message: the state, and the better source where there is one.
        stage: stage of dvc.yaml that downloads it again.
        better_available: whether that stage would replace it now; a stand-in may have no better source.
    """

    message: str
    stage: str
    better_available: bool

    def __str__(self) -> str:
        """Return the line, which ends with the command that replaces the data at hand."""
        return f"{self.message}: dvc repro -f -s {self.stage}"


def iter_data_status(
    datasets: Mapping[str, AnyDatasetConfig], raw_dir: Path, probe_network: bool
) -> Iterator[DataStatus]:
    """Yield the state of each data set of the catalogue that is a stand-in or that a better source would replace.

    Args:
        datasets: section `datasets` of params.yaml.
        raw_dir: folder of all raw data.
        probe_network: also probe the official hosts, which takes seconds.

    Raises:
        UserError: a catalogue entry, a provenance at hand or `DATA_MIRROR` is not valid.
    """
    for name, dataset in datasets.items():
        if dataset.kind != "catalog":
            continue
        stage, entry = f"download@{name}", read_entry(Path(dataset.path))
        provider = find_better_source(
            name, entry, requested=dataset.source, raw_dir=raw_dir, probe_network=probe_network
        )
        status = _read_status(raw_dir / name)
        if provider:
            yield DataStatus(_describe_data_offer(name, status, provider), stage, True)
        elif status == "stand-in" and dataset.source != "stand-in":
            yield DataStatus(f"{name} is a stand-in; with real images in DATA_MIRROR, or a network", stage, False)


def iter_weight_status(
    backbones: Mapping[str, BackboneConfig], weights_dir: Path, probe_network: bool
) -> Iterator[DataStatus]:
    """Yield the state of each backbone whose weights are random although others are requested or available.

    Args:
        backbones: section `backbones` of params.yaml.
        weights_dir: folder of all weights.
        probe_network: also probe the publishers' hosts, which takes seconds.

    Raises:
        UserError: a provenance at hand or `DATA_MIRROR` is not valid.
    """
    for name, backbone in backbones.items():
        stage, provider = f"weights@{name}", find_better_weights(name, backbone.source, weights_dir, probe_network)
        if provider:
            yield DataStatus(f"{name} has random weights, but {_PROVIDER_PHRASES[provider]} real ones", stage, True)
        elif _read_status(weights_dir / name) == "random" and backbone.source != "random":
            yield DataStatus(f"{name} has random weights; with real ones in DATA_MIRROR, or a network", stage, False)


def _read_status(folder: Path) -> str | None:
    """Return the status of the data or weights at hand; None where there are none."""
    return str(read_json(folder / PROVENANCE_FILE)["status"]) if (folder / PROVENANCE_FILE).exists() else None


def _describe_data_offer(name: str, status: str | None, provider: str) -> str:
    if provider == "stand-in":
        return f"{name} is at hand ({status}), but params.yaml asks for the stand-in"
    if status == "stand-in":
        return f"{name} is a stand-in, but {_PROVIDER_PHRASES[provider]} real images"
    return f"{name} is at hand ({status}), but {_PROVIDER_PHRASES[provider]} other files"
