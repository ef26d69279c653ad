"""Every stage on a disk that is full or read-only: one line names the file, nothing is half-written, and it goes on."""

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from bad_disks import bounded, filled, read_only, small_disk
from whole_project import STAGES, contents, exit_code, harmed, make_project, remove


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Path]:
    """A project after all of its stages."""
    root = tmp_path_factory.mktemp("whole")
    make_project(root, repository)
    with pytest.MonkeyPatch.context() as patch:
        _in(root, patch)
        for stage in STAGES:
            assert exit_code(stage) == 0, stage
        yield root


@pytest.fixture
def project(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to work in."""
    shutil.copytree(finished, tmp_path / "copy")
    _in(tmp_path / "copy", monkeypatch)
    return tmp_path / "copy"


def _in(root: Path, patch: pytest.MonkeyPatch) -> None:
    patch.chdir(root)
    patch.setenv("TRACKING", "off")
    for name in ("DVC_ROOT", "DATA_MIRROR", "DVC_STAGE"):
        patch.delenv(name, raising=False)
    for user in (
        "stages.synthesize",
        "vision_pipeline.training.run_spec",
    ):  # here more modules are loaded, and all would count
        patch.setattr(f"{user}.compute_source_digest", lambda: "c0de")


def check(
    root: Path, stage: tuple[str, str], whole: dict[str, bytes], disk: AbstractContextManager[None],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """The stage is refused by the disk in one line, and what it left is whole."""
    remove(root, stage)
    shutil.rmtree(root / ".ckpt", ignore_errors=True)
    capsys.readouterr()
    with disk:
        assert exit_code(stage) == 1, stage
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ERROR: ")]
    assert len(said) == 1, (stage, said)
    assert _names_a_file(said[0], root, stage), (stage, said)
    left = contents(root)
    assert {name for name in left if ".partial" in name} == set(), stage
    assert {name: len(content) for name, content in left.items() if whole.get(name) != content} == {}, stage


def _names_a_file(line: str, root: Path, stage: tuple[str, str]) -> bool:
    places = [stage[1] or "data/checked", *(out.rpartition("/")[2] for out in STAGES[stage]), ".ckpt", ".dvc"]
    return any(place in line.partition(": ")[2] for place in places)


def biggest(whole: dict[str, bytes], stage: tuple[str, str]) -> int:
    return max(len(content) for name, content in whole.items() if name.startswith(tuple(STAGES[stage])))


@pytest.mark.parametrize("stage", STAGES, ids="-".join)
def test_a_full_disk_is_told_and_the_next_run_ends_as_the_first(
    stage: tuple[str, str], project: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = contents(finished)
    check(project, stage, whole, bounded(0), capsys)
    if biggest(whole, stage) > 100:
        check(project, stage, whole, bounded(biggest(whole, stage) // 2), capsys)
    assert exit_code(stage) == 0
    assert [exit_code(later) for later in harmed(stage)] == [0] * len(harmed(stage))
    assert contents(project) == whole


def test_every_stage_on_a_disk_without_a_byte_left(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = contents(finished)
    with small_disk(tmp_path, 100):
        shutil.copytree(finished, tmp_path / "copy")
        _in(tmp_path / "copy", monkeypatch)
        for stage in STAGES:
            check(tmp_path / "copy", stage, whole, filled(tmp_path), capsys)
            shutil.copytree(finished, tmp_path / "copy", dirs_exist_ok=True)
        os.chdir(finished)


def test_every_stage_in_a_folder_that_is_read_only(
    project: Path, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = contents(finished)
    for stage in STAGES:
        before = contents(project)
        capsys.readouterr()
        os.chdir(finished)
        with read_only(project):
            os.chdir(project)
            assert exit_code(stage) == 1, stage
            os.chdir(finished)
        (said,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("ERROR: ")]
        assert _names_a_file(said, project, stage), said
        assert contents(project) == before == whole
