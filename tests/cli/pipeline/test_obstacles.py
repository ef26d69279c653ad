"""What an experiment's copy of the project would lack, against what DVC really does."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_project import git

from vision_pipeline.cli.pipeline.obstacles import find_obstacles, require_copyable
from vision_pipeline.cli.pipeline.temp_experiment import run_temp_experiment
from vision_pipeline.core.errors import UserError
from vision_pipeline.vcs.git import show_file

DVC_YAML = (
    "stages: {s: {cmd: 'cat PATH/* > o; echo ${a} >> o', params: [a], deps: [PATH], outs: [{o: {cache: false}}]}}"
)
MODEL = {"dataset": "mine", "augmentation": "none", "inputs": "prepared/mine"}
PLAIN = {"style": {"pictures": "styles.yaml"}}


def params(**changes: Any) -> dict[str, Any]:
    """Params of a data set of one's own and of another one, as far as they name paths."""
    model = MODEL | changes.pop("model", {})
    datasets = {"mine": {"path": "mine"}, "other": {"path": "gone"}}
    return {"datasets": datasets, "policies": {}, "features": {}, "models": {"m": model}} | changes


def dvc(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "dvc", *arguments, "-q"], check=True)


def list_obstacles(**changes: Any) -> list[str]:
    return [str(obstacle) for obstacle in find_obstacles(params(**changes), ["m"])]


def make(root: Path, monkeypatch: pytest.MonkeyPatch, path: str = "mine") -> Path:
    """A repository in the working folder, whose one stage reads a folder that git does not track."""
    (root / "mine/cat").mkdir(parents=True)
    (root / "mine/1").write_text("1\n")
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    git("init", "-q")
    dvc("init")
    Path("dvc.yaml").write_text(DVC_YAML.replace("PATH", path))
    Path("params.yaml").write_text("a: 1\n")
    git("add", "dvc.yaml", "params.yaml", ".dvc")
    git("commit", "-qm", "A pipeline")
    return root


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return make(tmp_path / "project", monkeypatch)


def outcome() -> str:
    """What the stage writes in an experiment."""
    return show_file(run_temp_experiment("e", ["a=7"], ["s"], list), Path("o"))


def test_a_folder_that_nothing_tracks_is_refused_and_dvc_add_mends_it(place: Path) -> None:
    (line,) = list_obstacles()
    assert line == (
        "datasets.mine.path: neither git nor DVC tracks mine, so experiments lack it; `dvc add mine && git add "
        f"mine.dvc .gitignore` and commit, or name its full path, {place}/mine, in params.yaml"
    )
    with pytest.raises(UserError, match=r"(?s)and cannot here:\n  datasets.mine.path: neither"):
        require_copyable(params(), ["m"])
    with pytest.raises(UserError, match="e failed"):
        outcome()
    dvc("add", "mine")
    assert len(list_obstacles()) == 1
    git("add", "mine.dvc", ".gitignore")
    assert list_obstacles() == []
    assert outcome() == "1\n7\n"


def test_a_full_path_is_in_every_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "project"
    make(root, monkeypatch, path=f"{root}/mine")
    assert list_obstacles(datasets={"mine": {"path": f"{root}/mine"}}) == []
    assert outcome() == "1\n7\n"


def test_files_that_git_tracks_only_in_part_are_counted(place: Path) -> None:
    git("add", "mine")
    assert list_obstacles() == []
    for name in (".DS_Store", "Thumbs.db", "cat/2.png", "cat/3.png"):
        (place / "mine" / name).write_text("2")
    assert list_obstacles() == [
        "datasets.mine.path: git does not track 2 file(s) of mine, such as mine/cat/2.png, so experiments run without; "
        "`git add mine` and commit"
    ]


def test_a_relative_path_out_of_the_repository_is_refused(place: Path) -> None:
    (place.parent / "photos").mkdir()
    (line,) = list_obstacles(datasets={"mine": {"path": "../photos"}})
    assert line.endswith(f"so experiments lack it; name its full path, {place.parent}/photos, in params.yaml")


def test_only_what_the_models_need_is_looked_at(place: Path) -> None:
    git("add", "mine")
    (place / "looks").mkdir()
    (place / "looks/a.png").write_text("a")
    (place / "gone").mkdir()
    (place / "gone/b.png").write_text("b")
    policies = {"a": {"style": {"pictures": "looks"}}, "b": PLAIN}
    features = {"f": {"augmentation": "a"}}
    for model in ({"augmentation": "a"}, {"inputs": "augmented/a/views"}, {"inputs": "features/f"}):
        (line,) = list_obstacles(policies=policies, features=features, model=model)
        assert line.startswith("policies.a.style.pictures: neither git nor DVC tracks looks,")
    assert list_obstacles(policies=policies) == []
    assert len(list(find_obstacles(params(policies=policies)))) == 2


def test_a_module_that_git_does_not_track_is_named(place: Path) -> None:
    git("add", "mine")
    (place / "vision_pipeline/models").mkdir(parents=True)
    (place / "vision_pipeline/models/mine.py").write_text("")
    (line,) = list_obstacles()
    file = "vision_pipeline/models/mine.py"
    assert line == f"git does not track {file}, so experiments lack it; `git add {file}`"


@pytest.mark.parametrize("name", ["m\u00fcller", "\u65e5\u672c", "a#b", "a?b", "a%20b"])
def test_a_path_that_dvc_cannot_copy_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / name, monkeypatch)
    git("add", "mine")
    (line,) = list_obstacles()
    assert "so no experiment runs here; rename that folder" in line and name in line
    with pytest.raises(UserError):
        outcome()


@pytest.mark.parametrize("name", ["a b", "it's", "a%b", 'a,b;c&d$e\\f[g]"h'])
def test_a_path_that_dvc_can_copy_is_let_pass(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / name, monkeypatch)
    git("add", "mine")
    assert list_obstacles() == []
    assert outcome() == "1\n7\n"


def test_another_cache_and_a_name_set_globally_make_room_for_letters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "m\u00fcller", monkeypatch)
    git("add", "mine")
    dvc("cache", "dir", "--local", str(tmp_path / "cache"))
    assert list_obstacles() == []
    assert outcome() == "1\n7\n"
    git("config", "user.name", "J\u00f6rg")
    (line,) = list_obstacles()
    assert ".git/config has other letters, so no experiment runs here; `git config --global user.name NAME`" in line
    with pytest.raises(UserError):
        outcome()


def test_without_git_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/1").write_text("1")
    assert list_obstacles() == []
