"""Look up and acquire a backbone's pretrained weights.

The catalogue or the network's library names the published file and the scale of the inputs. The file comes from the
mirror, an installed package or its publisher.
"""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from vision_pipeline.core.errors import DataError
from vision_pipeline.core.files import sha256_file
from vision_pipeline.core.logging import logger
from vision_pipeline.core.paths import repo_root
from vision_pipeline.sources.catalog import CatalogMismatch, WeightsEntry, check_sha256, read_weights_catalog
from vision_pipeline.sources.download import DownloadError, download_file
from vision_pipeline.sources.mirror import MIRROR_VARIABLE, find_mirror_root

_MAX_WEIGHTS_BYTES = 4 << 30  # the libraries publish no exact sizes
WEIGHTS_PROVIDER_ORDER = {
    "auto": ("mirror", "package", "official", "random"),
    "official": ("official",),
    "mirror": ("mirror",),
    "package": ("package",),
    "random": ("random",),
}


def lookup_weights(library: str, network: str) -> WeightsEntry:
    """Return the entry of a network's weights, from the catalogue or else from the library.

    Args:
        library: "torchvision" or "timm".
        network: name of the network there; `name.weights` chooses among several weights, else the library does.
    """
    entry = read_weights_catalog().get(f"{library}/{network}")
    return entry or (_lookup_torchvision(network) if library == "torchvision" else _lookup_timm(network))


def _lookup_torchvision(network: str) -> WeightsEntry:
    """Return torchvision's entry; a file's name ends with the first digits of its SHA-256."""
    from torchvision.models import get_model_weights

    name, _, variant = network.partition(".")
    weights = get_model_weights(name)[variant or "DEFAULT"]
    file, transforms = weights.url.rsplit("/", 1)[-1], weights.transforms()
    checksum = re.search(r"-([0-9a-f]{8,})\.pth$", file)
    return WeightsEntry(
        licence=weights.meta.get("license", "BSD-3-Clause (torchvision)"),
        file=file,
        sha256=checksum[1] if checksum else None,
        limit=_MAX_WEIGHTS_BYTES,
        mean=transforms.mean,
        std=transforms.std,
        url=weights.url,
    )


def _lookup_timm(network: str) -> WeightsEntry:
    """Return timm's entry, on the Hugging Face hub; the file is named by the network: all are called `model` there."""
    from timm.models import get_pretrained_cfg

    pretrained_cfg = get_pretrained_cfg(network)
    repo_id = pretrained_cfg.hf_hub_id
    return WeightsEntry(
        licence=f"{pretrained_cfg.license or 'not stated'} (timm)",
        file=f"{network}.safetensors",
        sha256=None,
        limit=_MAX_WEIGHTS_BYTES,
        mean=list(pretrained_cfg.mean),
        std=list(pretrained_cfg.std),
        url=f"https://huggingface.co/{repo_id}/resolve/main/model.safetensors" if repo_id else None,
    )


def acquire_weights(name: str, source: str, entry: WeightsEntry, target_dir: Path) -> dict[str, Any]:
    """Put a backbone's weights file into the folder `target_dir` and return its provenance.

    Args:
        name: name of the backbone, for messages.
        source: "auto" (the first of mirror, package and official that works, else random), or the one to use.
        entry: the entry of its weights.
        target_dir: an existing folder; receives the file as published, nothing where the weights are random.

    Returns:
        `name`, `status` ("pretrained" or "random"), `source` ("mirror", "package", "official" or "random"),
        `file` and `sha256` (None where random), `licence` and `note`.

    Raises:
        DataError: the requested source does not have them; the message lists the attempts.
    """
    failures: list[str] = []
    for provider in WEIGHTS_PROVIDER_ORDER[source]:
        if provider == "random":
            return _use_random_weights(name, failures)
        try:
            weights_file = _PROVIDERS[provider](entry)
            _verify_file(weights_file, entry)
        except (CatalogMismatch, DownloadError) as failure:
            failures.append(f"{provider}: {failure}")
            continue
        logger.info(f"{name}: weights from {provider}")
        shutil.copyfile(weights_file, target_dir / entry.file)
        return _make_weights_provenance(
            name,
            "pretrained",
            source=provider,
            file=entry.file,
            digest=sha256_file(weights_file),
            licence=entry.licence,
        )
    raise DataError(f"{name}: the source {source!r} did not give the weights: {'; '.join(failures)}")


def _make_weights_provenance(
    name: str, status: str, *, source: str, file: str | None, digest: str | None, licence: str, note: str = ""
) -> dict[str, Any]:
    keys = ("name", "status", "source", "file", "sha256", "licence", "note")
    return dict(zip(keys, (name, status, source, file, digest, licence, note), strict=True))


def _use_random_weights(name: str, failures: list[str]) -> dict[str, Any]:
    if failures:
        reasons = "; ".join(failures)
        logger.warning(
            f"{name}: its pretrained weights cannot be had ({reasons}); they will be RANDOM. Once they can be had, "
            f"`dvc repro -f -s weights@{name}` replaces them"
        )
    return _make_weights_provenance(
        name, "random", source="random", file=None, digest=None, licence="none", note="not pretrained: drawn at random"
    )


def _verify_file(path: Path, entry: WeightsEntry) -> None:
    if path.stat().st_size > entry.limit:
        raise CatalogMismatch(f"{path.name} is larger than {entry.limit} bytes")
    check_sha256(path, entry.sha256)


def find_weights_in_mirror(entry: WeightsEntry) -> Path:
    """Return the file in the mirror's folder `weights`.

    Raises:
        CatalogMismatch: no mirror is set, or it has no such file.
    """
    root = find_mirror_root()
    if root is None:
        raise CatalogMismatch(f"{MIRROR_VARIABLE} is not set")
    path = root / "weights" / entry.file
    if not path.is_file():
        raise CatalogMismatch(f"{path} is not there")
    return path


def find_weights_in_package(entry: WeightsEntry) -> Path:
    """Return the file inside the installed package that contains it; the package itself is not imported.

    Raises:
        CatalogMismatch: no package contains it, or the package is not installed.
    """
    if entry.package is None:
        raise CatalogMismatch("no package carries them")
    spec = find_spec(entry.package)
    for folder in spec.submodule_search_locations or [] if spec else []:
        for path in sorted(Path(folder).rglob(entry.file)):
            return path
    raise CatalogMismatch(f"the package {entry.package} is not installed or lacks {entry.file}")


def _download_weights(entry: WeightsEntry) -> Path:
    if entry.url is None:
        raise CatalogMismatch("no address is known; they come with a package")
    path = repo_root() / ".cache" / "downloads" / "weights" / entry.file
    download_file([entry.url], path, size=None, sha256=entry.sha256, max_bytes=entry.limit)
    return path


_PROVIDERS = {"mirror": find_weights_in_mirror, "package": find_weights_in_package, "official": _download_weights}
