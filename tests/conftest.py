"""What the tests share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def repository() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The mirror with the real images: `DATA_MIRROR`, else `../shared/datasets`; skips where there is none."""
    mirror = Path(os.environ.get("DATA_MIRROR") or ROOT.parent / "shared" / "datasets")
    mirror = mirror if mirror.is_absolute() else ROOT / mirror
    if not (mirror / "mnist").is_dir():
        pytest.skip("no real images: set DATA_MIRROR to a folder that has them")
    return mirror
