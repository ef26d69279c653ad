"""Can what is at hand be replaced by something better? Asked at every run, so cheap: names and sizes, no contents."""

import threading
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stages.project.files import read_json
from stages.sources.entries import CatalogEntry, Release, Unfit, WeightsEntry
from stages.sources.fetch import opener
from stages.sources.mirror import find, mirror_root
from stages.sources.weights import in_mirror, in_package

HOST_SECONDS = 3.0
TOTAL_SECONDS = 6.0


def better_source(name: str, entry: CatalogEntry, wanted: str, raw: Path, network: bool) -> str | None:
    """The source that would replace the raw data at hand if it was downloaded now, None if nothing would change.

    Args:
        name: of the data set in `params.yaml`.
        entry: of the catalogue.
        wanted: the data set's `source` in `params.yaml`.
        raw: the folder of all raw data; the set lies in `raw / name`.
        network: also ask the official hosts, with one small request each and 6 s altogether.

    Returns:
        "mirror" or "official", or "stand-in" where that is what is wanted.

    Raises:
        Refusal: `DATA_MIRROR` names a folder that is not there, or the provenance at hand is damaged.
    """
    if not (raw / name / "provenance.json").exists():
        return None  # nothing at hand: the stage runs anyway
    about = read_json(raw / name / "provenance.json")
    if wanted == "stand-in":
        return "stand-in" if about["source"] != "stand-in" else None
    if wanted in ("auto", "mirror") and _mirror_differs(entry, about, raw / name):
        return "mirror"
    settled = about["source"] != "stand-in" if wanted == "auto" else about["source"] == wanted
    if wanted == "mirror" or settled or not network:
        return None
    urls = [release.urls[0] + release.files[0].name for release in entry.releases]
    return "official" if _any_answers(urls) else None


def better_weights(name: str, wanted: str, weights: Path, network: bool) -> str | None:
    """The same for a backbone's weights, which lie in `weights / name`: only random ones are replaced."""
    if wanted == "random" or not (weights / name / "provenance.json").exists():
        return None
    if read_json(weights / name / "provenance.json")["status"] != "random":
        return None
    entry = WeightsEntry.model_validate(read_json(weights / name / "published.json"))
    for way, look in (("mirror", in_mirror), ("package", in_package)):
        try:
            if wanted in ("auto", way) and look(entry):
                return way
        except Unfit:
            continue
    asked = wanted in ("auto", "official") and network and entry.url
    return "official" if asked and _any_answers([str(entry.url)]) else None


def _mirror_differs(entry: CatalogEntry, about: dict[str, Any], folder: Path) -> bool:
    """Whether the mirror has the set, and at hand is a stand-in, a variant from elsewhere or other files."""
    root = mirror_root()
    if root is None:
        return False
    offers = [files for release in entry.releases if (files := _in_mirror(root, entry, release))]
    if about["source"] == "mirror":
        # whichever of them was taken: one that is broken would be offered for ever
        sizes = _sizes(folder, about)
        return all({file.name: file.stat().st_size for file in files} != sizes for files in offers) and bool(offers)
    return bool(offers) and about["status"] != "official"


def _in_mirror(root: Path, entry: CatalogEntry, release: Release) -> list[Path]:
    try:
        return find(root, entry, release)
    except Unfit:
        return []


def _sizes(folder: Path, about: dict[str, Any]) -> dict[str, int]:
    return {name: (folder / name).stat().st_size for name in about["files"] if (folder / name).exists()}


def _any_answers(urls: list[str]) -> bool:
    """Whether one of the addresses answers a HEAD request; asked at the same time, each host once."""
    found: list[str] = []
    hosts = {urlsplit(url).netloc: url for url in reversed(urls)}
    # daemon threads: looking up a host's name cannot be given a time limit, and must not delay the exit
    askers = [threading.Thread(target=_ask, args=(url, found), daemon=True) for url in hosts.values()]
    for asker in askers:
        asker.start()
    end = time.monotonic() + TOTAL_SECONDS
    for asker in askers:
        asker.join(max(0.0, end - time.monotonic()))
        if found:
            return True
    return False


def _ask(url: str, found: list[str]) -> None:
    try:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "vision-pipeline"})
        with opener().open(request, timeout=HOST_SECONDS):
            found.append(url)
    except Exception:  # whatever goes wrong, the answer is no
        return
