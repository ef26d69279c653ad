"""The whole pipeline on the real params.yaml, shrunk, in two clean clones in different folders."""

from pathlib import Path

import pytest
from clones import Clone, finished, make_clone

TRACING = Path(__file__).parent / "tracing"


@pytest.fixture(scope="session")
def traces(tmp_path_factory) -> Path:
    """Where the first clone's stages note what they import and write."""
    return tmp_path_factory.mktemp("traces")


@pytest.fixture(scope="session")
def clones(tmp_path_factory, traces) -> tuple[Clone, Clone]:
    """Two clones: the first after `dvc repro`, the second after `vision repro`, which runs two stages at once."""
    first = make_clone(tmp_path_factory.mktemp("first"))
    second = make_clone(tmp_path_factory.mktemp("in") / "another folder")
    tracing = {"PYTHONPATH": str(TRACING), "TRACE_FOLDER": str(traces), "XDG_CACHE_HOME": str(traces / "cache")}
    running = [
        first.start("dvc", "repro", **tracing),
        second.start("python", "-m", "vision_pipeline.cli.main", "repro"),
    ]
    for process in running:
        finished(process)
    return first, second


@pytest.fixture
def params(clones):
    """The first clone's params.yaml; both clones' are put back afterwards."""
    paths = [clone.root / "params.yaml" for clone in clones]
    before = [path.read_bytes() for path in paths]
    yield paths[0]
    for path, content in zip(paths, before, strict=True):
        path.write_bytes(content)
