"""Sweeps as files: errors that are found before anything starts."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from vision_pipeline.cli import main as console
from vision_pipeline.cli.sweep.search_space import SWEEPS, read_sweep
from vision_pipeline.config.load import safe_load
from vision_pipeline.config.named_files import list_names
from vision_pipeline.core.errors import UserError

TINY: dict[str, Any] = {
    "about": "A search",
    "model": "mnist-mlp",
    "trials": 4,
    "seed": 0,
    "space": {
        "train.lr": {"low": 0.001, "high": 0.1, "log": True},
        "train.batch_size": {"low": 16, "high": 64},
        "hidden": {"choices": [[8], [8, 4]]},
    },
    "prune": {"after_trials": 2, "after_epochs": 1},
}


def params() -> dict[str, Any]:
    return safe_load(Path("params.yaml").read_text())


def read(**changes: Any):
    YAML().dump(TINY | changes, Path("sweeps/tiny.yaml"))
    return read_sweep("tiny", params())


def test_they_are_listed_and_each_fits_params_yaml(project: Path) -> None:
    result = CliRunner().invoke(console.app, ["sweep"])
    assert [line.split()[0] for line in result.stdout.splitlines()] == list_names(SWEEPS) == ["mnist-mlp"]


def test_the_metric_is_of_validation_and_says_where_better_lies(project: Path) -> None:
    assert (read().metric, read().direction) == ("val_accuracy", "maximize")
    assert read(metric="val_loss").direction == "minimize"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model": "mnist-mpl"}, r"sweeps/tiny.yaml: model is 'mnist-mpl'; did you mean 'mnist-mlp'"),
        ({"metric": "accuracy"}, r"(?s)sweeps/tiny.yaml is not valid.*metric: Input should be 'val_accuracy'"),
        ({"trials": 0}, r"trials: Input should be greater"),
        ({"pruner": {}}, r"pruner: Extra inputs"),
        ({"space": {}}, r"space: "),
        ({"space": {"train.lr": {"low": 0.1}}}, r"space.train.lr: say `low` and `high`"),
        ({"space": {"train.lr": {"low": 0.1, "high": 1.0, "choices": [1, 2]}}}, r"space.train.lr: say `low`"),
        ({"space": {"hidden": {"choices": [[8], [4]], "log": True}}}, r"space.hidden: say `low`"),
        ({"space": {"train.lr": {"low": 0.1, "high": 0.1}}}, r"space.train.lr: `low` must be below `high`"),
        ({"space": {"train.lr": {"low": 0.0, "high": 0.1, "log": True}}}, r"space.train.lr: .* above 0 with `log"),
        ({"space": {"hidden": {"choices": [[8]]}}}, r"space.hidden.choices: .*at least 2"),
        ({"space": {"train.lrr": {"low": 0.1, "high": 1.0}}}, r"space.train.lrr: .*'lrr'; did you mean 'lr'"),
        ({"space": {"train.lr": {"low": -1.0, "high": 1.0}}}, r"space.train.lr: models.mnist-mlp.train.lr is -1"),
        ({"space": {"train.epochs": {"low": 1.0, "high": 9.0}}}, r"space.train.epochs: models.mnist-mlp.train.epochs"),
        ({"space": {"train.lr": {"choices": [date(2020, 1, 1), 0.1]}}}, r"space.train.lr: models.mnist-mlp.train.lr"),
        ({"space": {"dropout": {"low": 0.0, "high": 1.0}}}, r"space.dropout: models.mnist-mlp.dropout is 1"),
        (
            {
                "model": "cats_dogs-efficientnet_lite0",
                "space": {"train.class_weights": {"choices": ["none", "balanced"]}},
            },
            r"prune: cats_dogs-efficientnet_lite0 is trained by L-BFGS, which has no epochs; leave it out",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_the_file_and_the_key(project: Path, changes: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as refused:
        read(**changes)
    assert str(refused.value).startswith("sweeps/tiny.yaml")


def test_a_name_that_is_not_there_is_refused_with_the_nearest(project: Path) -> None:
    read()
    with pytest.raises(UserError, match=r"there is no sweeps/tinny.yaml; did you mean 'tiny'"):
        read_sweep("tinny", params())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("no address", "--storage is no address; one is, for example, sqlite:////shared/optuna.db"),
        ("sqlite://", "a database in memory cannot be shared"),
        (
            "mssql+pymssql://host/db",
            "No module named 'pymssql'; install the database's driver, or name another's",
        ),
    ],
)
def test_a_database_that_cannot_serve_is_refused(project: Path, address: str, message: str) -> None:
    read()
    done = CliRunner().invoke(console.app, ["sweep", "tiny", "--storage", address])
    assert message in str(done.exception)


def test_elsewhere_it_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert "run from the repository's root" in str(CliRunner().invoke(console.app, ["sweep"]).exception)


@pytest.mark.parametrize("wrong", [{"generators": None}, {"models": None}, {"models": {"m": {}}}, {"seed": "a"}])
def test_params_that_are_not_valid_are_refused_first(project: Path, wrong: dict) -> None:
    with pytest.raises(UserError, match=r"params\.yaml is not valid"):
        read_sweep("mnist-mlp", {**params(), **wrong})
