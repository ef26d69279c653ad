"""`vision summary`, before any data is there and of a checkpoint."""

import shutil
from pathlib import Path

import pytest
import typer
from ruamel.yaml import YAML
from tiny_model import tiny_checkpoint, write_set
from typer.testing import CliRunner, Result

from vision_pipeline.cli.summary import summary
from vision_pipeline.core.errors import UserError
from vision_pipeline.models.checkpoint import save_checkpoint


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with params.yaml and the catalogue, and no data."""
    shutil.copy(repository / "params.yaml", tmp_path)
    shutil.copytree(repository / "data/catalog", tmp_path / "data/catalog")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(summary)
    return CliRunner().invoke(app, list(arguments))


def lines(*arguments: str) -> list[str]:
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("model", "total"),
    [
        ("mnist-logistic", "7,850: 7,840 weights and 10 biases; 7,850 are trained"),
        ("mnist-mlp", "109,386: 109,184 weights and 202 biases; 109,386 are trained"),
        ("cifar10-cnn", "541,094: 540,472 weights and 622 biases; 541,094 are trained"),
        ("cats_dogs-densenet121", "7,216,770: 7,174,688 weights and 42,082 biases; 262,914 are trained"),
    ],
)
def test_before_any_data_is_there(model: str, total: str) -> None:
    assert f"parameters  {total}" in lines(model)


def test_a_fine_tuned_backbone() -> None:
    params = YAML(typ="safe").load(Path("params.yaml"))
    params["models"]["tuned"] = params["models"]["cats_dogs-densenet121"] | {
        "architecture": "finetune", "inputs": "prepared/cats_dogs", "weights": "efficientnet_lite0",
        "normalize": "backbone", "unfreeze": "none",
    }  # fmt: skip
    for key in ("hidden", "activation", "dropout"):
        del params["models"]["tuned"][key]
    YAML().dump(params, Path("params.yaml"))
    output = "\n".join(lines("tuned"))
    assert "parameters  3,373,570: " in output
    assert "; 2,562 are trained" in output
    assert "backbone.conv_stem" in output


def test_the_prepared_data_decides_once_it_is_there() -> None:
    write_set(Path("data/prepared/mnist"))
    assert "1  output  2 x 64  2 x 1      2 x 32" in lines("mnist-logistic", "--batch", "32")


def test_a_checkpoint_and_the_size_of_a_batch() -> None:
    save_checkpoint(Path("small.pth"), tiny_checkpoint("cnn"))
    output = lines("small.pth", "--batch", "5")
    assert output[3].split() == ["1", "convs.0", "Conv2d", "4", "x", "8", "x", "8", "36", "4", "2,304"]
    assert "cost        5,890 multiply-adds for one sample, 29,450 for 5" in output


def test_a_folder_of_one_s_own_whose_classes_are_not_known_yet() -> None:
    params = Path("params.yaml").read_text().replace("kind: catalog  ", "kind: folder  ", 1)
    Path("params.yaml").write_text(params.replace("path: data/catalog/mnist.yaml", "path: mine"))
    assert str(run("mnist-mlp").exception) == (
        "how many classes mine has is known once it is packed: `dvc repro download@mnist`"
    )


def test_an_unknown_model_is_refused_with_a_hint() -> None:
    refusal = run("mnist-mpl").exception
    assert isinstance(refusal, UserError)
    assert str(refusal) == "mnist-mpl is neither a checkpoint nor a model of params.yaml; did you mean 'mnist-mlp'?"
