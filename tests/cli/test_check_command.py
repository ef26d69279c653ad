"""`vision check`: params.yaml, dvc.yaml, and the data at hand."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from vision_pipeline.cli import main as console
from vision_pipeline.core.errors import UserError
from vision_pipeline.sources import availability

_DVC = """
stages:
  download:
    foreach: ${datasets}
    do:
      cmd: python -c "import sys; open('${key}.txt', 'w').write(sys.executable)"
      params: ["datasets.${key}.source"]
      outs: ["${key}.txt"]
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """A DVC repository with params.yaml, the catalogue and one stage for each data set; no mirror, no network."""
    shutil.copy(repository / "params.yaml", tmp_path)
    for folder in ("data/catalog", "data/texts"):
        shutil.copytree(repository / folder, tmp_path / folder)
    (tmp_path / "dvc.yaml").write_text(_DVC)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text(
        "[core]\n    no_scm = true\n    analytics = false\n    check_update = false\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    return tmp_path


def _check(*options: str) -> Any:
    return CliRunner().invoke(console.app, ["check", "--offline", *options])


def _stand_in(project: Path, name: str) -> None:
    folder = project / "data/raw" / name
    folder.mkdir(parents=True)
    (folder / "provenance.json").write_text(json.dumps({"status": "stand-in", "source": "stand-in", "files": {}}))


def test_one_line_when_all_is_well(project: Path) -> None:
    result = _check()
    assert result.exit_code == 0
    assert result.output == (
        "OK: params.yaml is valid (5 datasets, 4 policies, 2 backbones, 2 features, 0 generators, 12 models) "
        "and dvc.yaml fits it (5 stages)\n"
    )


def test_the_pipeline_itself_fits_its_params(project: Path, repository: Path) -> None:
    shutil.copy(repository / "dvc.yaml", project)
    assert " and dvc.yaml fits it (" in _check().output


def test_a_key_that_is_not_there_is_named(project: Path) -> None:
    (project / "dvc.yaml").write_text(_DVC.replace("${datasets}", "${datsets}"))
    result = _check()
    assert isinstance(result.exception, UserError)
    assert "dvc.yaml does not fit params.yaml" in str(result.exception) and "datsets" in str(result.exception)


@pytest.mark.parametrize("content", ["stages: [", "stages: 5\n", "stages:\n  a:\n    comd: x\n"])
def test_a_damaged_dvc_yaml_is_refused(project: Path, content: str) -> None:
    (project / "dvc.yaml").write_text(content)
    assert isinstance(_check().exception, UserError)


def test_everything_wrong_with_the_params_is_named_at_once(project: Path) -> None:
    text = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(text.replace("bins: 15", "bins: 0").replace("worst: 24", "wurst: 24"))
    message = str(_check().exception)
    assert "evaluate.bins is 0" in message
    assert "evaluate.wurst: unknown key 'wurst'; did you mean 'worst'?" in message


@pytest.mark.parametrize("command", ["check", "plan", "repro"])
@pytest.mark.parametrize("path", ["s3://bucket/x", "~/photos", "data/raw/mnist", "no_images"])
def test_a_path_that_cannot_be_used_is_named_before_dvc_reads_it(project: Path, command: str, path: str) -> None:
    params = (project / "params.yaml").read_text()
    (project / "params.yaml").write_text(
        params.replace("kind: catalog  ", "kind: folder  ", 1).replace("data/catalog/mnist.yaml", path)
    )
    (project / "dvc.yaml").write_text(_DVC.replace("outs:", 'deps: ["${item.path}"]\n      outs:'))
    refusal = CliRunner().invoke(console.app, [command]).exception
    assert isinstance(refusal, UserError)
    assert f"datasets.mnist.path is '{path}'" in str(refusal)


def test_outside_the_repository_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(_check().exception) == "params.yaml is missing; run from the repository's root"


def test_what_could_be_better_is_fetched_when_asked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _stand_in(project, "mnist")
    _stand_in(project, "cifar10")
    monkeypatch.setattr(
        availability, "find_better_source", lambda name, *args, **kwargs: "mirror" if name == "mnist" else None
    )
    result = _check()
    assert "mnist is a stand-in, but the mirror has real images: dvc repro -f -s download@mnist" in result.output
    assert not (project / "mnist.txt").exists()

    result = _check("--fix")
    assert result.exit_code == 0
    assert Path((project / "mnist.txt").read_text()).parent == Path(sys.executable).parent
    assert not (project / "cifar10.txt").exists()


def test_a_fetch_that_fails_is_an_error(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "dvc.yaml").write_text(_DVC.replace("sys.executable)", "1 / 0)"))
    _stand_in(project, "mnist")
    monkeypatch.setattr(
        availability, "find_better_source", lambda name, *args, **kwargs: "mirror" if name == "mnist" else None
    )
    assert "`dvc repro -f -s download@mnist` failed" in str(_check("--fix").exception)


def test_a_refusal_is_one_line_and_exit_code_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["vision", "check"])
    with pytest.raises(SystemExit) as ended:
        console.run()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "ERROR: params.yaml is missing; run from the repository's root\n"


def test_help_names_every_subcommand() -> None:
    output = CliRunner().invoke(console.app, ["--help"]).output
    commands = typer.main.get_command(console.app).commands
    assert {"check", "predict", "ui"} <= set(commands)
    assert all(name in output for name in commands)
