"""`vision predict` on toy models: its output, its files and its errors."""

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from PIL import Image
from tiny_model import brightness_checkpoint, images, tiny_checkpoint, write_set
from typer.testing import CliRunner, Result

from vision_pipeline.cli.input_images import InputImage
from vision_pipeline.cli.predict.command import predict, predict_all
from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import open_dataset
from vision_pipeline.models.checkpoint import build_pixel_model, save_checkpoint

TEST_IMAGES = 3000


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an exported model, `small`, and its data set."""
    monkeypatch.chdir(tmp_path)
    write_set(Path("data/prepared/tiny"), TEST_IMAGES)
    save_checkpoint(Path("exports/small/checkpoint.pth"), brightness_checkpoint())
    return tmp_path


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(predict)
    return CliRunner().invoke(app, list(arguments))


def answers(*arguments: str) -> list[dict[str, Any]]:
    result = run(*arguments, "--json", "-")
    assert result.exit_code == 0, result.exception
    entries: list[dict[str, Any]] = json.loads(result.stdout)["images"]
    return entries


def grey(path: str, level: int) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30), level, np.uint8)).save(path)
    return Path(path)


def test_a_thousand_random_images_are_right_as_often_as_the_test_set(workspace: Path) -> None:
    prepared = open_dataset(Path("data/prepared/tiny"))
    with torch.inference_mode():
        logits = build_pixel_model(brightness_checkpoint())(torch.from_numpy(np.array(prepared.inputs("test"))))
    accuracy = float((logits.argmax(1).numpy() == prepared.targets("test")).mean())
    drawn = answers("small", "--random", "1000", "--seed", "5")
    assert 0.75 < accuracy < 0.95
    assert len({entry["image"] for entry in drawn}) == 1000
    rate = np.mean([entry["class"] == entry["truth"] for entry in drawn])
    assert abs(rate - accuracy) < 3 * np.sqrt(accuracy * (1 - accuracy) / 1000)
    sums = [sum(entry["probabilities"].values()) for entry in drawn]
    assert np.abs(np.array(sums) - 1).max() < 1e-5


def test_a_model_trained_on_a_stand_in_says_so(workspace: Path) -> None:
    assert run("small", "--random", "1").stderr.count("WARNING: small was trained on stand-in data") == 1
    own = replace(brightness_checkpoint(), provenance={**brightness_checkpoint().provenance, "status": "own"})
    save_checkpoint(Path("exports/small/checkpoint.pth"), own)
    assert "WARNING" not in run("small", "--random", "1").stderr


def test_the_seed_decides_the_draw(workspace: Path) -> None:
    first = answers("small", "--random", "6", "--seed", "1", "--output", "a.png")
    assert answers("small", "--random", "6", "--seed", "1", "--output", "b.png") == first
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()
    assert answers("small", "--random", "6", "--seed", "2") != first


def test_files_and_folders_become_a_table_json_and_a_picture(workspace: Path) -> None:
    grey("mine/light/1.png", 200)
    grey("mine/2.png", 90)
    Path("mine/broken.jpg").write_bytes(b"\xff\xd8 no more")
    Path("mine/notes.txt").write_text("no image")
    result = run("small", "mine", "--json", "out.json", "--output", "out.png")
    assert result.exit_code == 0
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0] == ["image", "class", "probability", "next", "truth"]
    assert lines[1][:3] == ["mine/2.png", "dark", "79.8%"]
    assert lines[2] == ["mine/broken.jpg", "ERROR", "not", "an", "image"]
    assert lines[3] == ["mine/light/1.png", "light", "95.0%", "dark", "5.0%", "light"]
    assert lines[4] == ["1", "of", "1", "right", "(100.0%)"]
    written = json.loads(Path("out.json").read_text())
    assert written["model"] == "small"
    assert [entry["image"] for entry in written["images"]] == ["mine/2.png", "mine/broken.jpg", "mine/light/1.png"]
    assert written["images"][1] == {"image": "mine/broken.jpg", "error": "not an image"}
    with Image.open("out.png") as picture:
        assert picture.format == "PNG"


def test_only_when_no_image_can_be_read_does_it_fail(workspace: Path) -> None:
    Path("broken.png").write_bytes(b"")
    result = run("small", "broken.png")
    assert isinstance(result.exception, UserError)
    assert str(result.exception) == "none of these images could be read"
    assert "broken.png  ERROR               empty file" in result.stdout
    assert not Path("predictions.png").exists()
    assert run("small", "broken.png", str(grey("fine.png", 9))).exit_code == 0


def test_a_photo_is_treated_as_prepare_treats_it(workspace: Path) -> None:
    """The central square of a wide photo counts, and colours become grey."""
    wide = np.zeros((8, 24, 3), np.uint8)
    wide[:, 8:16] = images(1, 3)[0][0]
    Image.fromarray(wide).save("wide.png")
    Image.fromarray(wide[:, 8:16]).convert("L").save("square.png")
    first, second = answers("small", "wide.png", "square.png")
    assert first["probabilities"] == second["probabilities"]


def test_control_characters_in_names_do_not_reach_the_terminal(workspace: Path) -> None:
    grey("a\x1b[31mb.png", 9)
    assert "a?[31mb.png" in run("small", "a\x1b[31mb.png").stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["small"], "name image files or folders, or --random N"),
        (["small", "mine", "--random", "3"], r"one of the three"),
        (["small", "nowhere"], "nowhere does not exist"),
        (["small", "empty"], "empty holds no images"),
        (["smal", "--random", "3"], "smal is neither a checkpoint nor an exported model; did you mean 'small'"),
        (["../small", "--random", "3"], "neither a checkpoint nor an exported model"),
        (["small", "--random", "3001"], "--random is 3001, but the test set in data/prepared/tiny has 3000 images"),
        (["damaged.pth", "--random", "1"], r"damaged\.pth is damaged"),
    ],
)
def test_what_cannot_be_done_is_said(workspace: Path, arguments: list[str], message: str) -> None:
    Path("empty").mkdir()
    Path("damaged.pth").write_bytes(Path("exports/small/checkpoint.pth").read_bytes()[:-500])
    result = run(*arguments)
    assert isinstance(result.exception, UserError)
    assert re.search(message, str(result.exception))


def test_a_data_set_with_other_classes_is_refused(workspace: Path) -> None:
    save_checkpoint(Path("other.pth"), replace(brightness_checkpoint(), class_names=["x", "y"]))
    assert "other images or classes" in str(run("other.pth", "--random", "1").exception)


def test_a_checkpoint_cannot_name_a_folder_elsewhere(workspace: Path) -> None:
    training = {**brightness_checkpoint().training, "dataset": "../prepared/tiny"}
    save_checkpoint(Path("other.pth"), replace(brightness_checkpoint(), training=training))
    assert "does not say which data set" in str(run("other.pth", "--random", "1").exception)


def test_a_head_alone_is_refused(workspace: Path) -> None:
    save_checkpoint(Path("head.pth"), replace(tiny_checkpoint(), input_shape=[64]))
    assert "takes features, not pixels" in str(run("head.pth", str(grey("a.png", 9))).exception)


def test_scores_that_are_not_finite_are_refused() -> None:
    checkpoint = brightness_checkpoint()
    broken = {name: torch.full_like(tensor, torch.inf) for name, tensor in checkpoint.state_dict.items()}
    images = [InputImage("any", np.full((8, 8, 1), 255, np.uint8))]
    with pytest.raises(UserError, match="not finite"):
        list(predict_all(replace(checkpoint, state_dict=broken), images))


def test_a_format_that_is_not_read_is_named(workspace: Path) -> None:
    Path("photo.heic").write_bytes(b"no JPEG")
    assert "the format is not read (HEIC); convert it to JPEG or PNG" in run("small", "photo.heic").stdout


def test_a_name_that_is_not_utf8_is_written_as_near_as_can_be(workspace: Path) -> None:
    name = os.fsdecode(b"caf\xe9.png")
    result = run("small", str(grey(name, 9)), "--json", "out.json")
    assert result.exit_code == 0, result.exception
    assert json.loads(Path("out.json").read_text())["images"][0]["image"] == "caf\ufffd.png"


def deep(path: str, level: int) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((20, 30), level, np.uint16)).save(path)
    return Path(path)


def test_sixteen_bits_are_scaled_as_the_model_learnt_them(workspace: Path) -> None:
    """4000 of 4095 is bright, and 4000 of 65535 is dark; 1000 is darker than either half."""
    for bits, bright in ((12, True), (16, False)):
        checkpoint = brightness_checkpoint()
        save_checkpoint(Path("m.pth"), replace(checkpoint, provenance=checkpoint.provenance | {"grey_bits": bits}))
        high, low, plain = answers(
            "m.pth", *(str(deep(f"{level}.tif", level)) for level in (4000, 1000)), str(grey("p.png", 250))
        )
        assert (high["class"] == plain["class"]) == bright
        assert low["class"] != plain["class"]


def test_sixteen_bits_for_a_model_of_eight_are_warned_of(workspace: Path) -> None:
    result = run("small", str(deep("a.tif", 4000)))
    assert "WARNING: a.tif has 16 bits a pixel, and the model learnt from images of 8: its 12 bits" in result.stderr
    assert answers("small", "a.tif")[0]["class"] == answers("small", str(grey("p.png", 250)))[0]["class"]
