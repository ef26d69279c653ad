"""`vision verify`, of a tiny model that a DVC pipeline has really trained and tested."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tiny_project import git, write_nothing, write_params
from typer.testing import CliRunner

from vision_pipeline.cli.main import app
from vision_pipeline.cli.verify.clone import clone_commit
from vision_pipeline.cli.verify.snapshot import take_snapshot
from vision_pipeline.cli.verify.verdict import IDENTICAL
from vision_pipeline.vcs.dvc_lock import DvcLock
from vision_pipeline.vcs.line_ends import find_other_line_ends

MODEL = "mnist-mlp"
DVC_YAML = """
stages:
  prepare:
    cmd: python prepare.py
    deps: [prepare.py]
    outs: [data/prepared/mnist]
  train:
    foreach: [mnist-mlp]
    do:
      cmd: python -m stages.train ${item}
      deps: [data/prepared/mnist]
      params: [threads, models.mnist-mlp]
      outs: ["models/${item}"]
      metrics: ["reports/models/${item}/train.json": {cache: false}]
  evaluate:
    foreach: [mnist-mlp]
    do:
      cmd: python -m stages.evaluate ${item}
      deps: [data/prepared/mnist, "models/${item}", "reports/models/${item}/train.json"]
      outs: ["reports/models/${item}/predictions.csv"]
      metrics: ["reports/models/${item}/metrics.json": {cache: false}]
"""
PREPARE = """
from pathlib import Path
from tiny_model import write_set
write_set(Path("data/prepared/mnist"))
"""


PROJECT = "projects/b\u00e4r #1? %20'\""  # its folder below git's top, in no letters that are easy


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Path:
    """A git repository in which a folder is the project; its commit records the model."""
    top = tmp_path_factory.mktemp("verify")
    root = top / PROJECT
    root.mkdir(parents=True)
    write_nothing(root, repository)

    def change(params: dict[str, Any]) -> None:
        params["models"][MODEL]["seeds"] = []
        params["models"][MODEL]["train"]["epochs"] = 1

    write_params(root, repository, change)
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / "prepare.py").write_text(PREPARE)
    shutil.copy(repository / ".gitignore", root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        environment(patch, repository)
        git("init", "-q", "-b", "main", str(top))
        for arguments in (("init", "-q", "--subdir"), ("repro", "-q")):
            subprocess.run([sys.executable, "-m", "dvc", *arguments], check=True)
        git("add", "-A")
        git("commit", "-qm", "A model")
    return top


def environment(patch: pytest.MonkeyPatch, repository: Path) -> None:
    patch.setenv("PYTHONPATH", f"{repository}{os.pathsep}{repository / 'tests'}")
    patch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    patch.setenv("TRACKING", "off")
    for name in ("DVC_ROOT", "DATA_MIRROR"):
        patch.delenv(name, raising=False)


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A copy, to change."""
    root = Path(shutil.copytree(trained, tmp_path / "copy"), PROJECT)
    monkeypatch.chdir(root)
    environment(monkeypatch, repository)
    return root


def files(root: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file; DVC's locks and git's index, which is written anew when it is asked, left out."""
    stats = {str(path.relative_to(root)): path.stat() for path in root.rglob("*") if path.is_file()}
    return {
        name: (stat.st_size, stat.st_mtime_ns)
        for name, stat in stats.items()
        if not name.startswith((".dvc/tmp", ".git/index"))
    }


def test_a_training_made_again_is_identical_and_nothing_here_is_touched(place: Path, tmp_path: Path) -> None:
    before, report = files(place), tmp_path / "report.json"
    result = CliRunner().invoke(app, ["verify", "--json", str(report)])
    assert result.exit_code == 0, result.output
    assert f"train@{MODEL} | {MODEL}: validation accuracy" in result.output
    assert f"{MODEL}  identical" in result.output and "4 of 4 outputs identical" in result.output
    verdict = json.loads(report.read_text())["models"][MODEL]
    lock = DvcLock((place / "dvc.lock").read_text())
    assert {path: output["here"] for path, output in verdict["outputs"].items()} == {
        **lock.hashes(f"train@{MODEL}", "outs"), **lock.hashes(f"evaluate@{MODEL}", "outs")
    }  # fmt: skip
    assert (verdict["verdict"], verdict["causes"]) == (IDENTICAL, [])
    assert files(place) == before


def test_dvc_starts_nothing_in_the_clone_that_would_write_there_while_it_is_removed(place: Path) -> None:
    from dvc.config import Config

    with clone_commit("HEAD") as root:
        core = Config(str(root / ".dvc"))["core"]
    assert (core["analytics"], core["check_update"]) == (False, False)
    assert not root.exists()


def test_a_record_that_was_changed_is_different_and_what_differs_is_named(place: Path) -> None:
    lock = place / "dvc.lock"
    text = lock.read_text()
    rate = json.loads((place / f"models/{MODEL}/training.json").read_text())["settings"]["model"]["train"]["lr"]
    assert f"lr: {rate}\n" in text
    text = text.replace(f"lr: {rate}\n", "lr: 0.5\n")
    report = place / f"reports/models/{MODEL}/train.json"
    md5 = DvcLock(text).hashes(f"train@{MODEL}", "outs")[str(report.relative_to(place))]
    report.write_text(report.read_text().replace('"threads": 1', '"threads": 7'))
    lock.write_text(text.replace(md5, hashlib.md5(report.read_bytes()).hexdigest()))
    git("commit", "-qam", "Another record")
    result = CliRunner().invoke(app, ["verify", MODEL])
    assert result.exit_code == 1
    assert f"reports/models/{MODEL}/train.json: different" in result.output
    assert f"likely cause: models.{MODEL}.train.lr: 0.5 in dvc.lock, {rate} in params.yaml" in result.output
    assert "likely cause: threads: 7 in the commit's train.json, 1 here" in result.output
    assert f"models/{MODEL}: " not in result.output  # it is identical


def test_data_that_the_cache_lacks_are_made_anew(place: Path) -> None:
    shutil.rmtree(place / ".dvc/cache")
    result = CliRunner().invoke(app, ["verify", "--evaluate"])
    assert str(result.exception) == (f"models/{MODEL} is not in DVC's cache; `dvc fetch`, or go without --evaluate")
    result = CliRunner().invoke(app, ["verify"])
    assert result.exit_code == 0, result.output
    assert "data/prepared/mnist: identical" in result.output
    assert not (place / ".dvc/cache").exists()


def test_images_that_neither_git_nor_dvc_tracks_are_missed_before_any_work(place: Path) -> None:
    (place / "mine").mkdir()
    (place / "dvc.yaml").write_text(DVC_YAML.replace("deps: [prepare.py]", "deps: [prepare.py, mine]"))
    git("commit", "-qam", "My images")
    shutil.rmtree(place / ".dvc/cache")
    result = CliRunner().invoke(app, ["verify"])
    assert "prepare is to run again, for DVC's cache lacks what it made, but the commit has no mine" in str(
        result.exception
    )
    assert "Running stage" not in result.output


def test_a_commit_that_lacks_the_project_is_refused(place: Path) -> None:
    empty = git("commit-tree", "-m", "Before the project", git("hash-object", "-t", "tree", "-w", "/dev/null"))
    result = CliRunner().invoke(app, ["verify", "--rev", empty])
    assert f"has no {PROJECT}/.dvc; name one that has this project, by --rev" in str(result.exception)


def test_what_differs_is_told_where_the_cache_lacks_the_model(place: Path) -> None:
    shutil.rmtree(place / ".dvc/cache")
    lock = place / "dvc.lock"
    recorded = DvcLock(lock.read_text()).hashes(f"train@{MODEL}", "outs")[f"models/{MODEL}"]
    lock.write_text(lock.read_text().replace(recorded, "0" * 32 + ".dir"))
    git("commit", "-qam", "Another model")
    result = CliRunner().invoke(app, ["verify", MODEL])
    assert result.exit_code == 0, result.output  # another model, by the recorded bytes, of the same accuracy
    assert result.output.endswith("1 within the seed band\n")


def test_a_model_that_is_not_recorded_is_refused(place: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "mnist-mlq"])
    assert str(result.exception) == "the commit's dvc.lock has no tested model mnist-mlq; did you mean 'mnist-mlp'?"


def test_a_model_that_params_yaml_has_no_more_is_left_out(place: Path) -> None:
    text = (place / "dvc.lock").read_text()
    (place / "dvc.lock").write_text(
        text.replace("train@mnist-mlp:", "train@gone:").replace("evaluate@mnist-mlp:", "evaluate@gone:")
    )
    assert take_snapshot(place).models == []
    (place / "dvc.lock").write_text(text)
    assert take_snapshot(place).models == ["mnist-mlp"]


def test_a_report_in_git_that_is_not_dvc_locks_is_different(place: Path) -> None:
    report = place / f"reports/models/{MODEL}/metrics.json"
    metrics = json.loads(report.read_text())
    report.write_text(json.dumps(metrics | {"accuracy": 0.999}))
    git("commit", "-qam", "A better figure")
    result = CliRunner().invoke(app, ["verify", "--evaluate"])
    assert result.exit_code == 1
    assert f"test accuracy {metrics['accuracy']:.2%} (recorded: 99.90%)" in result.output
    assert f"likely cause: reports/models/{MODEL}/metrics.json in git is not what dvc.lock has" in result.output


def test_git_that_converts_line_ends_changes_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = place.with_name("gitconfig")
    settings.write_text("[core]\n\tautocrlf = true\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(settings))
    result = CliRunner().invoke(app, ["verify", "--evaluate"])
    assert result.exit_code == 0, result.output
    assert f"{MODEL}  identical" in result.output and "likely cause" not in result.output


def test_line_ends_that_git_converted_before_dvc_hashed_them_are_named(place: Path) -> None:
    lock, report = place / "dvc.lock", place / f"reports/models/{MODEL}/train.json"
    crlf = hashlib.md5(report.read_bytes().replace(b"\n", b"\r\n")).hexdigest()
    lock.write_text(lock.read_text().replace(hashlib.md5(report.read_bytes()).hexdigest(), crlf))
    git("commit", "-qam", "As a work tree with CRLF would have it")
    result = CliRunner().invoke(app, ["verify", "--evaluate"])
    assert (
        f"likely cause: line ends: reports/models/{MODEL}/train.json had other line ends (CRLF or LF)" in result.output
    )
    assert "in git is not what dvc.lock has" not in result.output


def test_a_folders_line_ends_are_known_from_its_hash(tmp_path: Path) -> None:
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.tree import Tree

    files = {("a.py",): b"one\ntwo\n", ("b", "c.png"): b"\0\n", ("b.py",): b"one\n"}
    tree = Tree()
    for parts, content in files.items():
        path = tmp_path.joinpath("code", *parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        crlf = content if b"\0" in content else content.replace(b"\n", b"\r\n")
        tree.add(parts, None, HashInfo("md5", hashlib.md5(crlf).hexdigest()))
    tree.digest()
    recorded = {"code": tree.hash_info.value, "code/a.py": hashlib.md5(b"other").hexdigest(), "gone": "0" * 32}
    assert find_other_line_ends(tmp_path, recorded) == ["code"]
