"""What a stage reads is cut off, empty, or says something else: one line that names the file, and no traceback."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from whole_project import STAGES, contents, exit_code, make_project

from vision_pipeline.core.files import read_json

_BY_DOOR = {stage[0]: stage for stage in STAGES}
_DAMAGED = [
    ("data/raw/mine/provenance.json", "prepare"),
    ("data/raw/mine/train-00000-of-00001.parquet", "prepare"),
    ("data/prepared/mine/dataset.json", "train"),
    ("data/prepared/mine/train/inputs.npy", "train"),
    ("data/prepared/mine/train/targets.npy", "train"),
    ("data/prepared/mine/train/rows.csv", "augment"),
    ("data/prepared/mine/test/rows.csv", "featurize"),
    ("data/prepared/mine/test/rows.csv", "evaluate"),
    ("data/prepared/mine/test/inputs.npy", "export"),
    ("data/prepared/mine/rejects.csv", "evaluate"),
    ("data/augmented/none/policy.json", "train"),
    ("data/weights/shuffle/weights.safetensors", "featurize"),
    ("data/weights/shuffle/backbone.json", "featurize"),
    ("data/synthetic/mine-gan/training.json", "grade"),
    ("data/synthetic/mine-gan/images/inputs.npy", "grade"),
    ("data/synthetic/mine-gan/images/targets.npy", "grade"),
    ("models/judge/checkpoint.pth", "evaluate"),
    ("models/judge/checkpoint.pth", "export"),
    ("models/judge/checkpoint.pth", "grade"),
    ("reports/models/judge/train.json", "evaluate"),
    ("reports/models/judge/metrics.json", "export"),
    ("reports/models/judge/data.json", "compare"),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Iterator[Path]:
    """A project after all of its stages; tests put back what they damage."""
    root = tmp_path_factory.mktemp("whole")
    make_project(root, repository)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("TRACKING", "off")
        for name in ("DVC_ROOT", "DATA_MIRROR", "DVC_STAGE"):
            patch.delenv(name, raising=False)
        for stage in STAGES:
            assert exit_code(stage) == 0, stage
        yield root


def damages(file: Path) -> Iterator[bytes]:
    """The content cut off, nothing, bytes of anything, and of JSON other kinds and no keys."""
    whole = file.read_bytes()
    yield from (whole[: len(whole) // 2], b"", bytes(range(256)))
    if file.suffix == ".json":
        yield from (b"[]", b"null", b"{}")


@pytest.mark.parametrize(("file", "door"), _DAMAGED)
def test_a_damaged_file_is_named(file: str, door: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / file
    whole, before = path.read_bytes(), contents(project)
    for content in damages(path):
        if file.endswith("rows.csv") and door != "evaluate" and content == whole[: len(whole) // 2]:
            continue  # names of rows that nothing is computed from; `evaluate` refuses them
        capsys.readouterr()
        path.write_bytes(content)
        try:
            code = exit_code(_BY_DOOR[door])
        finally:
            path.write_bytes(whole)
        said = capsys.readouterr().err
        assert (code, [file in line for line in said.splitlines() if line.startswith("ERROR")]) == (1, [True]), said
        assert contents(project) == before


def test_a_key_that_a_json_file_lacks_is_refused_with_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"known": 1}')
    facts = read_json(tmp_path / "a.json")
    assert (facts["known"], facts.get("other"), json.dumps(facts)) == (1, None, '{"known": 1}')
    with pytest.raises(Exception, match=r"a\.json has no 'other'"):
        facts["other"]


def _dvc(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "dvc", *command], capture_output=True, text=True)


_PIPELINE = """
stages:
  make: {cmd: "echo whole > made", outs: [made]}
  use: {cmd: "cat made made > used", deps: [made], outs: [used]}
"""


def test_a_damaged_file_of_dvcs_cache_is_found_by_the_next_repro_and_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dvc checkout` alone hands it out; `dvc repro` then computes its digest."""
    monkeypatch.chdir(tmp_path)
    Path("dvc.yaml").write_text(_PIPELINE)
    for command in (("init", "--no-scm", "-q"), ("repro", "-q")):
        assert _dvc(*command).returncode == 0
    digest, lock = hashlib.md5(b"whole\n").hexdigest(), Path("dvc.lock").read_bytes()
    cached = Path(".dvc/cache/files/md5", digest[:2], digest[2:])
    cached.chmod(0o644)
    cached.write_bytes(b"harmed")
    for file in ("made", "used"):
        Path(file).unlink()
    _dvc("checkout")
    assert Path("made").read_bytes() == b"harmed"
    assert _dvc("repro").returncode == 0
    assert [Path(file).read_bytes() for file in ("made", "used")] == [b"whole\n", b"whole\nwhole\n"]
    assert Path("dvc.lock").read_bytes() == lock
