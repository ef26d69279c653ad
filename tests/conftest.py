"""What the tests share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from ruamel.yaml import YAML
from xdist.scheduler import LoadScopeScheduling

from vision_pipeline.core.logging import setup_logging

# a busy machine is no error
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# before torch starts its threads: where other work runs, threads that spin while they wait take minutes for nothing
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

# the messages that tests read are those of the terminal
setup_logging()

# no DVC of a test reports to its makers or asks for a newer one: there is no network, and what does so outlives it
os.environ["DVC_TEST"] = "true"

ROOT = Path(__file__).resolve().parent.parent

# tests start processes in other folders: they run the code beside these tests, not the checkout that is installed
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
_PIPELINE = "tests/pipeline/"


class WholeFiles(LoadScopeScheduling):
    """Each of two processes is given whole files; those of the pipeline, which share its clones, are one."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return _PIPELINE if file.startswith(_PIPELINE) else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> WholeFiles:
    """How tests are shared out, where there are several processes."""
    return WholeFiles(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The pipeline's tests, which take longest, come first."""
    items.sort(key=lambda item: not item.nodeid.startswith(_PIPELINE))


@pytest.fixture(scope="session")
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


@pytest.fixture
def prepare(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run the stage on `data/raw/<name>/` of the working folder, a temporary one; gives the set."""
    monkeypatch.chdir(tmp_path)

    from stages.prepare import main as prepare_stage
    from vision_pipeline.data.format import open_dataset

    def run(name: str, limit: int = 0, **changes: float) -> Any:
        yaml = YAML()
        params = yaml.load((repository / "params.yaml").read_text())
        params["data"]["limit"] = limit
        params["datasets"][name]["prepare"].update(changes)
        yaml.dump(params, Path("params.yaml"))
        prepare_stage(name)
        return open_dataset(Path("data/prepared", name))

    return run
