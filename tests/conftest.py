"""What the tests share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from ruamel.yaml import YAML

# a busy machine is no error
settings.register_profile("project", deadline=None)
settings.load_profile("project")

# before torch starts its threads: where other work runs, threads that spin while they wait take minutes for nothing
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

ROOT = Path(__file__).resolve().parent.parent
_PIPELINE = "pipeline"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Each of two processes runs whole files; those of the pipeline, which share its clones, are one and come first."""
    groups = {item: _group(item.path.relative_to(ROOT)) for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: groups[item] != _PIPELINE)


def _group(file: Path) -> str:
    return _PIPELINE if _PIPELINE in file.parts else str(file)


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

    from stages.datasets.format import open_set
    from stages.prepare import main as prepare_stage

    def run(name: str, limit: int = 0, **changes: float) -> Any:
        yaml = YAML()
        params = yaml.load((repository / "params.yaml").read_text())
        params["data"]["limit"] = limit
        params["datasets"][name]["prepare"].update(changes)
        yaml.dump(params, Path("params.yaml"))
        prepare_stage(name)
        return open_set(Path("data/prepared", name))

    return run
