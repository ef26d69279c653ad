"""`vision invariance`: predictions for images and for their altered copies."""

from pathlib import Path

import numpy as np
import pytest
from tiny_model import brightness_checkpoint, tiny_checkpoint, write_set

from vision_pipeline.augmentation.policy import read_policy
from vision_pipeline.cli.invariance import invariance, measure_invariance
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.data.format import open_dataset
from vision_pipeline.models.checkpoint import Checkpoint, save_checkpoint

UPSIDE_DOWN = {"vflip": 1.0}
DARKER = {"scale": {"probability": 1.0, "factor": [0.5, 0.5]}, "fill": "zeros"}


@pytest.fixture(autouse=True)
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_set(Path("data/prepared/tiny"))
    save_checkpoint(Path("small.pth"), brightness_checkpoint())
    write_policy(UPSIDE_DOWN)


def write_policy(steps: dict[str, object], dataset: str | None = "tiny") -> Path:
    path = Path("data/augmented/altered/policy.json")
    write_json(path, {"name": "altered", "dataset": dataset, "steps": steps})
    return path


def test_who_sees_the_mean_alone_says_the_same_of_an_image_upside_down() -> None:
    data = open_dataset(Path("data/prepared/tiny"))
    result = measure_invariance(brightness_checkpoint(), read_policy(write_policy(UPSIDE_DOWN)), data, copies=3, seed=0)
    assert result.agreement == result.low == result.high == 1.0
    assert result.altered_accuracy == result.accuracy > 0.8


def test_with_three_quarters_of_each_image_black_all_are_dark() -> None:
    data = open_dataset(Path("data/prepared/tiny"))
    light = data.targets("test") == 1
    pixels = data.inputs("test").reshape(len(light), -1)
    said_dark = float((pixels.mean(1) < 125).mean())
    result = measure_invariance(brightness_checkpoint(), read_policy(write_policy(DARKER)), data, copies=2, seed=0)
    assert result.agreement == pytest.approx(said_dark)
    assert result.altered_accuracy == pytest.approx(1 - light.mean())
    half = 1.96 * np.sqrt(said_dark * (1 - said_dark) / len(light))
    assert (result.low, result.high) == pytest.approx((said_dark - half, said_dark + half))


def test_a_line_for_each_model(capsys: pytest.CaptureFixture[str]) -> None:
    save_checkpoint(Path("other.pth"), brightness_checkpoint())
    invariance(["small.pth", "other.pth"], policy="altered", copies=1)
    title, _, head, *lines = capsys.readouterr().out.splitlines()
    assert title == "40 test images of tiny, 1 copy of each, altered by altered"
    assert head.split()[:3] == ["model", "same", "answer"]
    assert [line.split()[:2] for line in lines] == [["small.pth", "100.00%"], ["other.pth", "100.00%"]]


def test_a_policy_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"other/policy.json is not there.*dvc repro augment@other"):
        invariance(["small.pth"], policy="other")


@pytest.mark.parametrize(
    "steps",
    [{}, {"style": {"probability": 1.0, "strength": [1.0, 1.0], "backbone": "b", "pictures": "p"}}],
    ids=["nothing", "looks"],
)
def test_a_policy_that_alters_nothing_or_looks_alone_is_refused(steps: dict[str, object]) -> None:
    write_policy(steps, None if not steps else "tiny")
    write_set(Path("data/prepared/None"))
    with pytest.raises(UserError, match="alters no image, or its looks"):
        invariance(["small.pth"], policy="altered")


def test_a_model_of_other_images_is_refused() -> None:
    other = Checkpoint(**{**vars(tiny_checkpoint()), "class_names": ["left", "right"]})
    save_checkpoint(Path("small.pth"), other)
    with pytest.raises(UserError, match="small is no model of tiny"):
        invariance(["small.pth"], policy="altered")
