"""`vision tour`: every step runs, and prints the results that its docstring names."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import typer
from tiny_model import write_set
from typer.testing import CliRunner, Result

from vision_pipeline.cli.tour.command import get_step_code, load_steps, tour
from vision_pipeline.cli.tour.tour_data import TourData
from vision_pipeline.core.errors import UserError

PRINTS = {
    "a-batch": "torch.uint8 from 0 to 255\ntorch.float32 from -1.0 to 1.0 (64, 1, 28, 28)\n",
    "flattening": "(64, 1, 28, 28) -> (64, 784)\nrow 3 is image 3: True\nLinear(in_features=784, out_features=128, "
    "bias=True)\nonly one dimension can be inferred\nshape '[63, -1]' is invalid for input of size 50176\n",
    "view-reshape-resize": "reshape copies: [0, 3, 1, 4, 2, 5] True\nresize_ drops: [0, 1, 2, 3] of 6 in memory\n",
    "scores": "1.4612 with perfect probabilities as scores\n",
    "gradients": "before: None\nafter the first and the second: (10, 64) True\n",
    "a-step": "True\n",
    "five-epochs": "training loss: [",
    "a-prediction": "the sum is 1.0000\nright of all: ",
    "state-dict": "hidden_layers.0.weight  [512, 784]\nhidden_layers.0.bias    [512]\n",
    "another-size": "hidden_layers.0.weight: the checkpoint has [512, 784], the model [400, 784]\nunchanged: True\n"
    "torch alone has copied output.bias: True\n",
    "a-checkpoint": "'dropout': 0.3, 'batch_norm': False}\nsame scores: True dropout: 0.3\n",
    "the-stages": "download -> prepare -> augment -> ",
    "transfer": "feature part: (6953856, 0) (all, trained)\nwith its classifier: (7216770, 262914) (4, 2)\n",
    "freezing": "the optimizer has 1026 numbers\nfeatures unchanged: True\n",
    "where-it-runs": f"runs on: {'cuda' if torch.cuda.is_available() else 'cpu'}\n",
    "modes": "training mode, twice the same: False\nevaluation mode, twice the same: True\n",
    "dropout": "zeros 0.20, others 1.25, mean 1.00\n",
    "adding": "[11, 22] [11, 22] [-9, -18] [-9, -18]\n[11, 22] in the same memory: True\n",
    "underscores": "(3, 2)\n[[0, 0], [0, 0], [0, 0]]\na leaf Variable that requires grad is being used in an in-place",
    "one-number": "0.25 float\na Tensor with 2 elements cannot be converted to Scalar\n",
    "numpy-and-back": "[2. 2. 2. 2. 2.]\ntensor([2., 2., 2., 2., 2.])\n",
    "kinds-of-numbers": "int8\nGot unsupported ScalarType BFloat16\n",
    "four-filters": "(1, 4, 25, 25) True True\n",
    "max-pooling": "4.0 (64, 1, 14, 14)\n",
    "order-of-relu-and-pooling": "True\n",
    "two-hundred-pixels": "(1, 16, 100, 100) (1, 32, 100, 100)\n(1, 1) (0, 0)\n",
    "parameters-of-a-layer": "(64, 16) 80\n(4608, 32) 4640\n(270, 10) 280\n(5000, 20) 5020\n",
    "sizes": "Conv2d [10, 128, 128]\nMaxPool2d [10, 32, 32]\nConv2d [20, 32, 32]\nMaxPool2d [20, 16, 16]\n"
    "torch says (1, 20, 16, 16)\n",
    "flips-and-turns": "mirrored    [2, 1, 4, 3]\nupside down [3, 4, 1, 2]\nclockwise   [3, 1, 4, 2]\n",
    "shifts": "[0, 1, 0, 3]\n",
    "noise": "mean 0.50, deviation 0.10\nTrue\n",
    "counting": "() (1, 'shallow')\n(128, 64) (3, 'shallow')\n(512, 256, 128) (4, 'deep')\n",
    "shapes": "L = 1: W 3 x 2, b 3 x 1\nL = 2: W 5 x 3, b 5 x 1\n",
    "rows-or-columns": "(64, 5) (5, 64) True\n",
    "layer-after-layer": "z[3], a[3] (64, 10)\nthe last z are the scores: True\n",
    "sigmoid": "at 0: 0.5 0.25\nat -10 and 10: ['4.5396e-05', '4.5396e-05']\n",
    "tanh": "at 0: 1.0 at 10: 8.24e-09\nTrue\n",
    "relu": "[0.0, 0.0, 1.0] [0.01, 1.0]\n",
    "shared-matrices": "U (8, 4) W (8, 8)\n[(1, 4, 8), (1, 100, 8)]\n",
    "state": "remembers: True\nwith W = 0: False\n",
    "hello": "hello\n",
    "unrolled": """e      l      l      o   outputs
V      V      V      V
s1--W->s2--W->s3--W->s4   states
U      U      U      U
h      e      l      l   inputs
4 states by 112 weights
""",
}


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(tour)
    return CliRunner().invoke(app, list(arguments))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A repository without data."""
    root: Path = tmp_path_factory.mktemp("tour")
    for file in ("params.yaml", "dvc.yaml"):
        shutil.copy(Path(__file__).parents[3] / file, root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        yield root


@pytest.fixture(scope="module")
def outputs(workspace: Path) -> dict[str, str]:
    """The output of `vision tour`, by step."""
    result = run()
    assert result.exit_code == 0, result.exception
    assert result.stdout.startswith("The images are scikit-learn's digits.\n")
    parts = re.split(r"^\d+\. ([\w-]+) \(.*\)$", result.stdout, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_step_is_walked_in_order(outputs: dict[str, str]) -> None:
    assert list(outputs) == list(load_steps()) == list(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_a_step_prints_what_its_words_say(name: str, outputs: dict[str, str]) -> None:
    step = load_steps()[name]
    text, _, printed = outputs[name].rpartition("   | ")
    printed = printed.partition("\n\n")[2]  # after the last line of code
    assert PRINTS[name] in printed
    assert str(step.__doc__).splitlines()[0] in text
    assert all(f"   | {line}".rstrip() in outputs[name] for line in get_step_code(step).splitlines())


def test_a_view_shares_memory_and_raises_where_it_cannot(outputs: dict[str, str]) -> None:
    printed = outputs["view-reshape-resize"]
    assert "view, same memory: True\nview raises: view size is not compatible with input tensor's size" in printed


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_tensor_on_a_gpu_is_moved_before_it_becomes_an_array() -> None:
    on_gpu = torch.ones(2, device="cuda")
    with pytest.raises(TypeError, match="cuda"):
        on_gpu.numpy()
    assert on_gpu.cpu().numpy().tolist() == [1, 1]


def test_the_loss_is_that_of_a_guess_and_falls_in_training(outputs: dict[str, str]) -> None:
    untrained, by_hand = re.findall(r"(\d\.\d{4})", outputs["scores"].rpartition("|")[2])[:2]
    assert untrained == by_hand
    assert abs(float(untrained) - 2.3026) < 0.1
    losses = [float(loss) for loss in re.findall(r"\d\.\d+", outputs["five-epochs"].rpartition("training loss: ")[2])]
    assert len(losses) == 5
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize("step", ["33", "shapes"])
def test_one_step_alone_says_the_same(step: str, outputs: dict[str, str]) -> None:
    assert run(step).stdout.partition(")\n")[2] == outputs["shapes"].removeprefix("\n").rstrip("\n") + "\n"


def test_the_list_names_every_step(workspace: Path) -> None:
    lines = run("--list").stdout.splitlines()
    assert [line.split()[1] for line in lines] == list(PRINTS)
    assert lines[27].startswith(" 28  sizes                     Width and height: floor(")


@pytest.mark.parametrize("step", ["0", "43", "size"])
def test_an_unknown_step_is_refused(workspace: Path, step: str) -> None:
    refusal = run(step).exception
    assert isinstance(refusal, UserError)
    assert f"there is no step '{step}'" in str(refusal)


def test_prepared_images_are_taken_where_there_are_any(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_set(Path("data/prepared/mnist"))
    data = TourData()
    assert data.source == "MNIST as prepared here (stand-in)"
    assert [len(rows) for rows in (data.train, data.val, data.test)] == [20, 10, 40]
