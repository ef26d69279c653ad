"""Fixtures of the tests of the sources."""

from pathlib import Path

import pytest
from own_folder import fill
from tiny_set import Tiny

from vision_pipeline.sources import download


@pytest.fixture
def tiny() -> Tiny:
    """The made-up data set."""
    return Tiny()


@pytest.fixture
def into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to obtain into, in a repository of its own, without a mirror."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    folder = tmp_path / "into"
    folder.mkdir()
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes with two images each."""
    fill(tmp_path / "own", "rose/b.jpg", "rose/a.PNG", "daisy/1.jpeg", "daisy/deep/2.webp")
    return tmp_path / "own"


@pytest.fixture
def mirror(tmp_path: Path, into: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty mirror, named by a relative path."""
    monkeypatch.setenv("DATA_MIRROR", "mirror")
    (tmp_path / "mirror").mkdir()
    return tmp_path / "mirror"


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """An internet that holds what a test puts in: URL to bytes; everything else cannot be reached."""
    pages: dict[str, bytes] = {}

    def receive(url: str, partial: Path, **limits: int | None) -> None:
        if url not in pages:
            raise OSError("unreachable")
        partial.write_bytes(pages[url])

    monkeypatch.setattr(download, "_receive", receive)
    return pages
