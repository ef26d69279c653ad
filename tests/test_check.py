"""The stage that looks at params.yaml and the data at hand on every `dvc repro`."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from stages.check import main
from vision_pipeline.core.errors import UserError


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A folder with params.yaml and the catalogue, without a mirror."""
    shutil.copy(repository / "params.yaml", tmp_path)
    for folder in ("data/catalog", "data/texts"):
        shutil.copytree(repository / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def test_it_says_nothing_when_all_is_well(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    assert capsys.readouterr() == ("", "")
    assert (project / "data/checked").read_text() == "params.yaml is valid\n"


def test_a_stand_in_is_never_silent(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = project / "data/raw/mnist"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": "stand-in", "source": "stand-in", "files": {}}))
    main()
    line = "WARNING: mnist is a stand-in; with real images in DATA_MIRROR, or a network: dvc repro -f -s download@mnist"
    assert capsys.readouterr().err == line + "\n"


def test_it_names_everything_wrong_with_the_params(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("bins: 15", "bins: 0").replace("worst: 24", "worst: 0"))
    with pytest.raises(UserError, match=r"evaluate\.bins is 0(.|\n)*evaluate\.worst is 0"):
        main()


def test_a_path_that_is_not_there_is_a_warning(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("data/texts/hello.txt", "data/texts/helo.txt"))
    main()
    assert "WARNING: datasets.hello.path is 'data/texts/helo.txt', which does not exist" in capsys.readouterr().err


def test_a_mirror_that_is_not_there_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project / "data/raw/mnist"
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": "stand-in", "source": "stand-in", "files": {}}))
    monkeypatch.setenv("DATA_MIRROR", "nowhere")
    with pytest.raises(UserError, match="DATA_MIRROR"):
        main()


def test_it_starts_without_what_takes_seconds_to_import(repository: Path) -> None:
    code = "import sys, stages.check; print(sorted({'torch', 'mlflow', 'numpy', 'pandas', 'dvc'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
