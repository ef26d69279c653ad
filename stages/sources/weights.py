"""A backbone's pretrained weights, as published: from the mirror, an installed package or their publisher."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stages.project.console import Refusal, say, warn
from stages.project.files import sha256
from stages.project.paths import home
from stages.sources.entries import Unfit, WeightsEntry
from stages.sources.fetch import FetchFailed, fetch
from stages.sources.mirror import VARIABLE, mirror_root

ORDER = {
    "auto": ("mirror", "package", "official", "random"),
    "official": ("official",),
    "mirror": ("mirror",),
    "package": ("package",),
    "random": ("random",),
}


def obtain_weights(name: str, source: str, entry: WeightsEntry, into: Path) -> dict[str, Any]:
    """Put a backbone's weights file into the folder `into` and return its provenance.

    Args:
        name: of the backbone, for messages.
        source: "auto" (the first of mirror, package and official that works, else random), or the one to use.
        entry: where its weights are published.
        into: an existing folder; receives the file as published, nothing where the weights are random.

    Returns:
        `name`, `status` ("pretrained" or "random"), `source` ("mirror", "package", "official" or "random"),
        `file` and `sha256` (None where random), `licence` and `note`.

    Raises:
        Refusal: the source that was asked for has them not; the message lists what was tried.
    """
    tried: list[str] = []
    for way in ORDER[source]:
        if way == "random":
            return _random(name, tried)
        try:
            found = _WAYS[way](entry)
            _verify(found, entry)
        except (Unfit, FetchFailed) as failure:
            tried.append(f"{way}: {failure}")
            continue
        say(f"{name}: weights from {way}")
        shutil.copyfile(found, into / entry.file)
        return _about(name, "pretrained", way, entry.file, sha256(found), entry.licence)
    raise Refusal(f"{name}: the source {source!r} did not give the weights: {'; '.join(tried)}")


def _about(
    name: str, status: str, source: str, file: str | None, digest: str | None, licence: str, note: str = ""
) -> dict[str, Any]:
    keys = ("name", "status", "source", "file", "sha256", "licence", "note")
    return dict(zip(keys, (name, status, source, file, digest, licence, note), strict=True))


def _random(name: str, tried: list[str]) -> dict[str, Any]:
    if tried:
        why = "; ".join(tried)
        warn(
            f"{name}: its pretrained weights cannot be had ({why}); they will be RANDOM. Once they can be had, "
            f"`dvc repro -f -s weights@{name}` replaces them"
        )
    return _about(name, "random", "random", None, None, "none", "not pretrained: drawn at random")


def _verify(path: Path, entry: WeightsEntry) -> None:
    if path.stat().st_size > entry.limit:
        raise Unfit(f"{path.name} is larger than {entry.limit} bytes")
    if entry.sha256 and not (found := sha256(path)).startswith(entry.sha256):
        raise Unfit(f"{path.name} has the SHA-256 {found}, expected {entry.sha256}")


def in_mirror(entry: WeightsEntry) -> Path:
    """The file in the mirror's folder `weights`.

    Raises:
        Unfit: no mirror is set, or it has no such file.
    """
    root = mirror_root()
    if root is None:
        raise Unfit(f"{VARIABLE} is not set")
    path = root / "weights" / entry.file
    if not path.is_file():
        raise Unfit(f"{path} is not there")
    return path


def in_package(entry: WeightsEntry) -> Path:
    """The file inside the installed package that carries it; the package itself is not imported.

    Raises:
        Unfit: no package carries it, or the package is not installed.
    """
    if entry.package is None:
        raise Unfit("no package carries them")
    spec = find_spec(entry.package)
    for folder in spec.submodule_search_locations or [] if spec else []:
        for path in sorted(Path(folder).rglob(entry.file)):
            return path
    raise Unfit(f"the package {entry.package} is not installed or lacks {entry.file}")


def _download(entry: WeightsEntry) -> Path:
    if entry.url is None:
        raise Unfit("no address is known; they come with a package")
    path = home() / ".cache" / "downloads" / "weights" / entry.file
    fetch([entry.url], path, None, entry.sha256, entry.limit)
    return path


_WAYS = {"mirror": in_mirror, "package": in_package, "official": _download}
