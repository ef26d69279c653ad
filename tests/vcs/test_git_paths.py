"""Git's answers to a project that is git's top folder, or a folder of a monorepo."""

import subprocess
from pathlib import Path

import pytest
from tiny_project import git

from vision_pipeline.core.errors import UserError
from vision_pipeline.tracking.lineage import lineage_tags, uncommitted_diff
from vision_pipeline.vcs.git import cat_files, extract_tree, locate_project, show_file

PROJECT = "projects/bär #1"


@pytest.fixture(params=[".", PROJECT])
def project(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder: a project with a file that another folder has, too."""
    root = tmp_path / request.param
    for folder in (root, tmp_path / "other"):
        (folder / "reports").mkdir(parents=True)
        (folder / "reports/a.json").write_text(folder.name)
    monkeypatch.chdir(root)
    for command in (["init", "-q", str(tmp_path)], ["add", "-A", str(tmp_path)], ["commit", "-qm", "Two folders"]):
        git(*command)
    return root


def test_a_file_of_a_commit_is_the_projects_own(project: Path, tmp_path: Path) -> None:
    file = Path("reports/a.json")
    assert show_file("HEAD", file) == project.name
    assert cat_files([("HEAD", file), ("HEAD", Path("gone"))]) == [project.name, None]
    folder = extract_tree("HEAD", Path("reports"), tmp_path / "unpacked")
    assert (folder / "a.json").read_text() == project.name
    with pytest.raises(UserError, match="gone"):
        show_file("HEAD", Path("gone"))


def test_gits_top_and_the_project_below_it(project: Path, tmp_path: Path) -> None:
    top, below = locate_project()
    assert (top, top / below) == (tmp_path, project)


def test_a_change_elsewhere_in_the_monorepo_is_none_of_the_project(project: Path, tmp_path: Path) -> None:
    (project / "reports/a.json").write_text("changed")
    patch = uncommitted_diff()
    assert lineage_tags()["git.dirty"] == "true"
    git("checkout", "-q", ".")
    if project != tmp_path:
        (tmp_path / "other/reports/a.json").write_text("changed")
    assert (lineage_tags()["git.dirty"], uncommitted_diff()) == ("false", "")
    subprocess.run(["git", "apply"], input=patch, text=True, check=True)
    assert (project / "reports/a.json").read_text() == "changed"
