"""What the tests share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# a busy machine is no error
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# before torch starts its threads: where other work runs, threads that spin while they wait take minutes for nothing
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def repository() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The mirror with the real images, named by `DATA_MIRROR`; skips where there is none."""
    mirror = ROOT / os.environ.get("DATA_MIRROR", "no mirror")
    if not (mirror / "mnist").is_dir():
        pytest.skip("no real images: set DATA_MIRROR to a folder that has them")
    return mirror
