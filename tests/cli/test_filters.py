"""`vision filters`: the first convolution of a model, and its picture."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_model import images, tiny_checkpoint, write_set

from vision_pipeline.cli.filters import filters, plot_filters, run_first_convolution
from vision_pipeline.core.errors import UserError
from vision_pipeline.models.checkpoint import save_checkpoint


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_four_filters_make_four_maps_and_opposite_filters_opposite_maps() -> None:
    checkpoint = tiny_checkpoint("cnn")
    weight, bias = (checkpoint.state_dict[f"convs.0.{name}"] for name in ("weight", "bias"))
    edges = torch.tensor([-1.0, 0.0, 1.0]).expand(3, 3)
    for index, kernel in enumerate((edges, -edges, edges.T, -edges.T)):
        weight[index, 0] = kernel
    bias.zero_()
    layer, kernels, maps = run_first_convolution(checkpoint, images(1)[0][0])
    assert layer.endswith("convs.0")
    assert kernels.shape == (4, 1, 3, 3)
    assert maps.shape == (4, 8, 8)
    np.testing.assert_array_equal(maps[1], -maps[0])
    np.testing.assert_array_equal(maps[3], -maps[2])
    assert np.abs(maps).max() > 0


def test_a_file_or_an_image_of_the_test_set_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    write_set(Path("data/prepared/tiny"))
    save_checkpoint(Path("small.pth"), tiny_checkpoint("cnn"))
    Image.fromarray(images(1)[0][0, ..., 0]).save("one.png")
    filters("small.pth", Path("one.png"), output=Path("f.png"))
    filters("small.pth", None, seed=1, output=Path("t.png"))
    first, second, _, fourth = capsys.readouterr().out.splitlines()
    assert first.endswith("4 filters of 3 x 3 x 1")
    assert second == "of one.png they make 4 maps of 8 x 8, drawn in f.png"
    assert fourth.startswith("of test-")
    assert Image.open("f.png").width > 500


@pytest.mark.parametrize("channels", [1, 3])
def test_the_picture_shows_32_at_most(channels: int) -> None:
    random = np.random.default_rng(0)
    pixels, kernels = images(1, channels)[0][0], random.normal(size=(40, channels, 3, 3))
    for count in (32, 40):
        plot_filters(
            Path(f"{count}.png"), "many", pixels=pixels, kernels=kernels[:count], maps=random.normal(size=(count, 8, 8))
        )
    few, many = (Image.open(f"{count}.png") for count in (32, 40))
    assert few.size == many.size
    assert few.tobytes() != many.tobytes()  # the title says that some are left out


def test_without_a_convolution_there_are_no_filters() -> None:
    with pytest.raises(UserError, match="small has no convolution"):
        run_first_convolution(tiny_checkpoint("mlp"), images(1)[0][0])


def test_what_is_no_image_is_refused() -> None:
    save_checkpoint(Path("small.pth"), tiny_checkpoint("cnn"))
    Path("broken.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"broken\.png cannot be read"):
        filters("small.pth", Path("broken.png"))
    with pytest.raises(UserError, match=r"gone\.png is no file"):
        filters("small.pth", Path("gone.png"))
