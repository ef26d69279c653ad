"""The versions that a result was computed with."""

import platform
from importlib.metadata import version

_PACKAGES = ("torch", "torchvision", "timm", "numpy", "pillow")


def versions() -> dict[str, str]:
    """Of Python and the libraries that computed, by name."""
    return {"python": platform.python_version(), **{package: version(package) for package in _PACKAGES}}
