"""`vision diff`, between a commit whose predictions are in DVC's cache and the workspace."""

import shutil
from pathlib import Path

import pytest
from dvc.repo import Repo
from fake_reports import write_reports
from tiny_project import git

from vision_pipeline.cli.diff import diff
from vision_pipeline.core.errors import UserError

PARAMS = "seed: 0\nmodels: {sure: {}, changed: {}, moved: {}}\n"


def write(name: str, ease: float, key: str) -> Path:
    folder = Path("reports/models") / name
    write_reports(folder, ease=ease, train={"key": key})
    return folder / "predictions.csv"


@pytest.fixture(params=[".", "projects/vision"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A commit with three models, two of which are trained anew in the workspace: git's top, or a folder below it."""
    (tmp_path / request.param).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(tmp_path / request.param)
    git("init", "-q", str(tmp_path))
    Path("params.yaml").write_text(PARAMS)
    with Repo.init(".", subdir=True) as repo:
        for name in ("sure", "changed", "moved"):
            repo.add(str(write(name, 1.0, "0" * 16)))
    git("add", "-A")
    git("commit", "-qm", "Three models")
    write("changed", 9.0, "1" * 16)
    moved = write("moved", 9.0, "1" * 16)
    moved.write_text(moved.read_text().replace("0.png", "another.png"))
    return tmp_path


def test_each_model_is_told_better_the_same_or_not_comparable(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    diff("HEAD", "")
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["sure"] == "the same training"
    assert lines["moved"] == "tested on other items: not comparable"
    # 49 of 60 were right before, and still are: 11 of 11 changes are for the better, p = 2 / 2**11
    # with an item added to either side: 11 / 62 ± 1.96 sqrt((12 - 62 (11 / 62)²) / 62²) = 17.74 ± 10.02 points
    assert lines["changed"] == "81.67% → 100.00%  +18.33 (+7.72 to +27.76), p 0.000977: better"
    assert lines["Points"].startswith("of accuracy")


def test_an_unknown_commit_is_refused(place: Path) -> None:
    with pytest.raises(UserError, match="zzz is neither an experiment nor a commit"):
        diff("zzz", "")


def test_nothing_in_common_is_refused(place: Path) -> None:
    for file in Path("reports/models").glob("*/predictions.csv"):
        file.unlink()
    with pytest.raises(UserError, match="HEAD and the workspace have no tested model in common"):
        diff("HEAD", "")


def test_predictions_that_the_cache_has_lost_are_named(place: Path) -> None:
    shutil.rmtree(".dvc/cache")
    with pytest.raises(UserError, match=r"predictions.csv of HEAD is not in DVC's cache .*; `dvc fetch` brings it"):
        diff("HEAD", "")
