"""`vision style`: what its files, its output and its errors."""

from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from safetensors.torch import save
from typer.testing import CliRunner, Result

from vision_pipeline.cli.style import style
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_bytes, write_json
from vision_pipeline.models.backbones import create_backbone, make_backbone_info
from vision_pipeline.models.pretrained import make_random_weights


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A backbone with random weights and two pictures."""
    monkeypatch.chdir(tmp_path)
    names, folder = ("timm", "tf_efficientnet_lite0"), Path("data/weights/efficientnet_lite0")
    write_bytes(folder / "weights.safetensors", save(make_random_weights(*names)))
    info = make_backbone_info(
        "efficientnet_lite0", *names, model=create_backbone(*names), mean=[0.5] * 3, std=[0.5] * 3
    )
    write_json(folder / "backbone.json", info)
    noise = np.random.default_rng(0)
    Image.fromarray(noise.integers(0, 256, (40, 80, 3), dtype=np.uint8)).save("content.png")
    Image.fromarray(noise.integers(0, 90, (50, 50), dtype=np.uint8)).save("look.jpg")
    return tmp_path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(style)
    return CliRunner().invoke(app, list(arguments))


def losses(result: Result) -> list[float]:
    lines = [line for line in result.stdout.splitlines() if line.startswith("step ")]
    return [float(line.split("loss ")[1].replace(",", "")) for line in lines]


def test_it_paints_prints_losses_that_fall_and_writes_a_picture(workspace: Path) -> None:
    result = run("content.png", "look.jpg", "--output", "new/painting.png", "--size", "64", "--steps", "20")
    assert result.exit_code == 0, result.exception
    printed_losses = losses(result)
    assert (
        len(printed_losses) == 6
        and printed_losses == sorted(printed_losses, reverse=True)
        and printed_losses[-1] < printed_losses[0]
    )
    with Image.open("new/painting.png") as painting:
        assert (painting.size, painting.mode, painting.format) == ((64, 32), "RGB", "PNG")
    assert [path.name for path in Path("new").iterdir()] == ["painting.png"]


def test_the_same_again_gives_the_same_bytes(workspace: Path) -> None:
    for name in ("one.png", "two.png"):
        assert run("content.png", "look.jpg", "--output", name, "--size", "64", "--steps", "3").exit_code == 0
    assert Path("one.png").read_bytes() == Path("two.png").read_bytes()


def test_a_small_picture_is_not_enlarged(workspace: Path) -> None:
    assert run("content.png", "look.jpg", "--steps", "1").exit_code == 0
    with Image.open("styled.png") as painting:
        assert painting.size == (80, 40)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("notes.txt", "look.jpg"), r"notes\.txt: not an image; name a picture"),
        (("content.png", "none.png"), r"none\.png: No such file or directory"),
        (
            ("content.png", "look.jpg", "--size", "40"),
            r"content\.png comes to 40x20 pixels; allowed: 32 and above, so raise --size",
        ),
        (("tiny.png", "look.jpg"), r"tiny\.png comes to 20x20 pixels; allowed: 32 and above, so name a larger picture"),
        (("content.png", "look.jpg", "--backbone", "none"), "--backbone is none, which has no weights"),
        (("content.png", "look.jpg", "--backbone", "vgg"), r"data/weights/vgg is missing; `dvc repro weights@vgg`"),
    ],
)
def test_what_cannot_be_painted_is_refused(arguments: tuple[str, ...], why: str, workspace: Path) -> None:
    Path("notes.txt").write_text("no picture")
    Image.new("RGB", (20, 20)).save("tiny.png")
    with pytest.raises(UserError, match=why):
        raise run(*arguments).exception or AssertionError("it was painted")
    assert not Path("styled.png").exists()
