"""Fingerprints of trainings, and seeds of random numbers: both are hashes of everything that they depend on.

Two trainings of one fingerprint give the same bits.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from vision_pipeline.core.paths import AUGMENTED, DATA, SYNTHETIC, WEIGHTS

# Packages that change no result: with their sources in the fingerprint, trainings would run again for nothing.
_EXCLUDED_PACKAGES = ("vision_pipeline.tracking", "vision_pipeline.config", "vision_pipeline.vcs")


def compute_training_fingerprint(values: dict[str, Any], data_files: list[Path], code: str) -> str:
    """Return 16 hexadecimal digits of the SHA-256 over everything that a training's outcome depends on.

    Args:
        values: the declared params, and the device, precision and threads they resolved to.
        data_files: files whose bytes identify the data (`dataset.json` contains its arrays' digest).
        code: the result of `compute_source_digest()`.
    """
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in data_files]
    text = json.dumps({"values": values, "data": digests, "code": code}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def list_fingerprint_inputs(model: Mapping[str, Any]) -> list[Path]:
    """Return the files whose bytes identify all that a training reads: data, policy, synthetic images, weights.

    Args:
        model: its section of params.yaml.
    """
    return [
        DATA / model["inputs"] / "dataset.json",
        AUGMENTED / model["augmentation"] / "policy.json",
        SYNTHETIC / model["synthetic"] / "images/about.json",
        *sorted((WEIGHTS / model["weights"]).iterdir()),
    ]


def derive_seed(*key: int | str) -> int:
    """Return a number of 64 bits from a key such as `(seed, "order", epoch)`, to seed a generator with."""
    text = "/".join(str(part) for part in key)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def compute_source_digest() -> str:
    """Return the SHA-256 over the sources of all the project's modules in use, by module name."""
    digest = hashlib.sha256()
    modules = {
        _get_module_name(name, module): getattr(module, "__file__", None) for name, module in list(sys.modules.items())
    }
    for name, source in sorted(modules.items()):
        if _changes_results(name) and source:
            digest.update(f"{name}\n".encode() + Path(source).read_bytes())
    return digest.hexdigest()


def _get_module_name(name: str, module: ModuleType) -> str:
    """Return the module's own name, also of the script that runs as `__main__`."""
    spec = getattr(module, "__spec__", None)
    return spec.name if name == "__main__" and spec else name


def _changes_results(module: str) -> bool:
    return module.startswith(("stages.", "vision_pipeline.")) and not module.startswith(_EXCLUDED_PACKAGES)
