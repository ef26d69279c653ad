"""The stage `download`, run as DVC runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def workspace(tmp_path: Path, repository: Path) -> Path:
    """A folder with the project's params and code."""
    shutil.copy(repository / "params.yaml", tmp_path / "params.yaml")
    shutil.copytree(repository / "data/catalog", tmp_path / "data/catalog")
    for folder in ("stages", "vision_pipeline"):
        (tmp_path / folder).symlink_to(repository / folder)
    return tmp_path


def download(
    workspace: Path, name: str, through: tuple[str, ...] = (), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the stage with no way out: every connection goes to a port where nobody listens."""
    clean = {key: value for key, value in os.environ.items() if key not in ("DATA_MIRROR", "DVC_ROOT")}
    closed = {"https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
    return subprocess.run(
        [*through, sys.executable, "-m", "stages.download", name],
        cwd=workspace,
        env={**clean, **closed, "PYTHONPATH": str(workspace), **environment},
        capture_output=True,
        text=True,
    )


def change(workspace: Path, old: str, new: str) -> None:
    """Replace a piece of params.yaml, once."""
    text = (workspace / "params.yaml").read_text()
    assert old in text
    (workspace / "params.yaml").write_text(text.replace(old, new, 1))


def test_without_a_way_out_the_stand_in_is_made_and_said(workspace: Path) -> None:
    done = download(workspace, "mnist")
    assert done.returncode == 0, done.stderr
    assert "mnist: https://ossci-datasets.s3.amazonaws.com/mnist/train-images-idx3-ubyte.gz: " in done.stdout
    warnings = [line for line in done.stderr.splitlines() if "WARNING" in line]
    assert len(warnings) == 1
    assert "`dvc repro -f -s download@mnist`" in warnings[0]
    folder = workspace / "data/raw/mnist"
    provenance = json.loads((folder / "provenance.json").read_text())
    assert (provenance["name"], provenance["status"]) == ("mnist", "stand-in")
    assert {path.name for path in folder.iterdir()} == {*provenance["files"], "provenance.json"}
    assert str(workspace) not in (folder / "provenance.json").read_text()
    assert [path.name for path in folder.parent.iterdir()] == ["mnist"]


def test_official_alone_is_an_error_that_lists_what_was_tried(workspace: Path) -> None:
    change(workspace, "source: auto", "source: official")
    done = download(workspace, "mnist")
    assert done.returncode == 1
    for host in ("ossci-datasets.s3.amazonaws.com", "storage.googleapis.com", "huggingface.co"):
        assert f"  https://{host}/" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (workspace / "data/raw/mnist").exists()


def test_a_folder_of_one_s_own(workspace: Path) -> None:
    for name in ("rose/1.png", "daisy/2.png"):
        (workspace / "own" / name).parent.mkdir(parents=True)
        (workspace / "own" / name).write_text(name)
    change(workspace, "kind: catalog ", "kind: folder ")
    change(workspace, "path: data/catalog/mnist.yaml", "path: own")
    done = download(workspace, "mnist")
    assert done.returncode == 0, done.stderr
    provenance = json.loads((workspace / "data/raw/mnist/provenance.json").read_text())
    assert (provenance["name"], provenance["status"], provenance["source"], provenance["format"]) == (
        "mnist",
        "own",
        "folder",
        "parquet",
    )
    assert provenance["class_names"] == ["daisy", "rose"]
    assert list(provenance["files"]) == ["train-00000-of-00001.parquet"]


@pytest.mark.parametrize("closed", ["own/rose/1.png", "own/rose", "own/rose/deep", "own"])
def test_what_may_not_be_read_is_named(workspace: Path, closed: str) -> None:
    through: tuple[str, ...] = ()
    if os.geteuid() == 0:  # whom no mode keeps out, unless it gives that up
        through = ("setpriv", "--bounding-set", "-dac_override,-dac_read_search")
        if not shutil.which("setpriv"):
            pytest.skip("root may read everything here")
    for name in ("rose/1.png", "rose/deep/3.png", "daisy/2.png"):
        (workspace / "own" / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / "own" / name).write_text(name)
    change(workspace, "kind: catalog ", "kind: folder ")
    change(workspace, "path: data/catalog/mnist.yaml", "path: own")
    mode = (workspace / closed).stat().st_mode
    (workspace / closed).chmod(0)
    done = download(workspace, "mnist", through)
    (workspace / closed).chmod(mode)
    assert done.returncode == 1
    assert (
        done.stderr.startswith(f"ERROR: {closed}: user ") and " may not read it, because it belongs to " in done.stderr
    )
    assert done.stderr.count("\n") == 1
    assert not (workspace / "data/raw/mnist").exists()


def test_a_folder_that_is_not_there_is_named_by_its_key(workspace: Path) -> None:
    change(workspace, "kind: catalog ", "kind: folder ")
    change(workspace, "path: data/catalog/mnist.yaml", "path: own")
    assert "ERROR: datasets.mnist.path is 'own', which does not exist" in download(workspace, "mnist").stderr


def test_an_unknown_name_is_refused_with_a_hint(workspace: Path) -> None:
    done = download(workspace, "mnits")
    assert done.returncode == 1
    assert "has no datasets.mnits; did you mean 'mnist'?" in done.stderr


@pytest.mark.real
def test_the_mirror_gives_the_same_bytes_in_every_folder(workspace: Path, real_data: Path) -> None:
    written = []
    for root in (workspace, workspace / "other"):
        if root != workspace:
            root.mkdir()
            shutil.copy(workspace / "params.yaml", root)
            shutil.copytree(workspace / "data/catalog", root / "data/catalog")
            for name in ("stages", "vision_pipeline"):
                (root / name).symlink_to(workspace / name)
        done = download(root, "cats_dogs", DATA_MIRROR=str(real_data.resolve()))
        assert done.returncode == 0, done.stderr
        folder = root / "data/raw/cats_dogs"
        written.append((folder / "provenance.json").read_bytes())
        assert (folder / "train-00000-of-00002.parquet").read_bytes() == (
            real_data / "cats_vs_dogs/data/train-00000-of-00002.parquet"
        ).read_bytes()
    assert written[0] == written[1]
