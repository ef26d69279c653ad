"""Folders of results that are links to another disk."""

from pathlib import Path

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.core.paths import raise_if_linked_outs
from vision_pipeline.core.stage_main import run_with_exit_code


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository, the working folder, beside the other disk."""
    (tmp_path / "disk").mkdir()
    root = tmp_path / "repository"
    root.mkdir()
    monkeypatch.chdir(root)
    return root


@pytest.mark.parametrize(
    "place", ["models", "exports", "reports", "reports/models", "data", "data/raw", "data/prepared", "models/mnist-mlp"]
)
def test_a_folder_of_results_on_another_disk_is_refused(root: Path, place: str) -> None:
    (root / place).parent.mkdir(parents=True, exist_ok=True)
    (root / place).symlink_to(root.parent / "disk")
    with pytest.raises(UserError) as refused:
        raise_if_linked_outs()
    disk = root.parent / "disk"
    assert str(refused.value).startswith(f"{place} is a link to {disk}, ")
    assert f"dvc cache dir --local {root.parent}/dvc-cache && dvc config --local cache.type" in str(refused.value)


def test_a_stage_that_dvc_runs_refuses_it_before_any_work(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "models").symlink_to("/not/mounted")
    monkeypatch.setenv("DVC_STAGE", "train@mnist-mlp")
    with pytest.raises(SystemExit) as ended:
        run_with_exit_code(lambda: pytest.fail("the stage ran"))
    assert ended.value.code == 1 and capsys.readouterr().err.startswith("ERROR: models is a link to /not/mounted, ")


def test_links_that_dvc_can_use_are_let_be(root: Path) -> None:
    """Links in the repository, of files to DVC's cache, of DVC's cache, of data."""
    for folder in ("inside/models", "reports", "data/weights", ".dvc"):
        (root / folder).mkdir(parents=True)
    (root / "models").symlink_to("inside/models")
    for link in ("reports/index.html", "data/weights/about.json", ".dvc/cache", "data/my_images", ".ckpt"):
        (root / link).symlink_to(root.parent / "disk" / Path(link).name)
    (root.parent / "disk/my_images").mkdir()
    (root.parent / "disk/about.json").touch()
    assert raise_if_linked_outs() is None
