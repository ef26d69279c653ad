"""`vision preset`: values into params.yaml, with its comments, and nothing that is not valid."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from vision_pipeline.cli import main as console
from vision_pipeline.cli.preset import preset
from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import UserError

NAMES = ["cifar10-93", "cifar10-94", "cifar10-96", "cifar10-cpu-best"]


def test_the_presets_are_listed_with_what_they_are_about(project: Path) -> None:
    result = CliRunner().invoke(console.app, ["preset"])
    assert [line.split()[0] for line in (result.stdout + result.stderr).splitlines()] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_preset_gives_valid_params_and_changes_what_it_says(project: Path, name: str) -> None:
    before = (project / "params.yaml").read_text().splitlines()
    preset(name)
    after = (project / "params.yaml").read_text().splitlines()
    (model,) = load_params("models.cifar10-speednet")
    values = YAML(typ="safe").load(project / "presets" / f"{name}.yaml")["params"]["models"]["cifar10-speednet"]
    assert model.widths == values["widths"]
    assert model.train.model_dump().items() >= values["train"].items()
    assert len(before) == len(after)
    changed = [line for line, other in zip(before, after, strict=True) if line != other]
    assert 2 <= len(changed) <= 10


def test_a_preset_twice_is_the_preset_once(project: Path) -> None:
    preset("cifar10-94")
    once = (project / "params.yaml").read_text()
    preset("cifar10-94")
    assert (project / "params.yaml").read_text() == once


def test_a_name_that_is_not_there_is_refused_with_the_nearest(project: Path) -> None:
    with pytest.raises(UserError, match="there is no preset 'cifar-94'; did you mean 'cifar10-94'"):
        preset("cifar-94")


def test_elsewhere_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"there is no presets/; run from the repository's root"):
        preset()


def test_values_that_are_not_valid_leave_the_file_as_it_is(project: Path) -> None:
    before = (project / "params.yaml").read_bytes()
    (project / "presets/bad.yaml").write_text("about: bad\nparams: {models: {mnist-mlp: {train: {epochs: 0}}}}\n")
    with pytest.raises(UserError, match=r"(?s)with preset 'bad'.*models\.mnist-mlp\.train\.epochs is 0"):
        preset("bad")
    assert (project / "params.yaml").read_bytes() == before
