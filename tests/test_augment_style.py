"""The augment stage with a style, and a model on the views that it stores."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from ruamel.yaml import YAML

from stages import augment, train, weights
from vision_pipeline.augmentation.offline import sample_style
from vision_pipeline.config.data import StyleConfig
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import sha256_file
from vision_pipeline.data.format import SPLITS, create_memmap, open_dataset, write_info, write_targets

_STYLE = {
    "probability": 0.5,
    "strength": [0.5, 1.0],
    "backbone": "efficientnet_lite0",
    "pictures": "data/catalog/styles.yaml",
}
_NAME = "cats_dogs-mixed"
_OFF = ("rotate", "scale", "translate", "noise")
_ROWS = {"train": 20, "val": 6, "test": 4}
_VIEWS = Path("data/augmented", _NAME, "views")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path) -> Path:
    """Thirty images of 32 x 32, the backbone's weights, and a policy that is a style alone."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    for folder in ("data/catalog", "data/augmented/none", "data/synthetic/none", "data/weights/none"):
        shutil.copytree(repository / folder, folder)
    shutil.copy(repository / "params.yaml", "params.yaml")
    _change()
    random, folder = np.random.default_rng(0), Path("data/prepared/cats_dogs")
    for split in SPLITS:
        rows = _ROWS[split]
        pixels = random.normal(120, 40, (rows, 32, 32, 3)).clip(0, 255)
        create_memmap(folder, split, num_rows=rows, shape=[32, 32, 3], kind="images")[:] = pixels.astype(np.uint8)
        write_targets(folder, split, np.arange(rows) % 2)
        (folder / split / "rows.csv").write_text("hash,name\n" + "".join(f"{row},{row}.jpg\n" for row in range(rows)))
    provenance = {
        "name": "cats_dogs",
        "status": "stand-in",
        "source": "stand-in",
        "digest": "0" * 64,
        "licence": "none",
    }
    write_info(folder, "images", ["cat", "dog"], mean=[0.5] * 3, std=[0.2] * 3, provenance=provenance)
    weights.main("efficientnet_lite0")
    return tmp_path


def _change(**style: Any) -> None:
    yaml = YAML(typ="safe", pure=True)
    params = yaml.load(Path("params.yaml"))
    params.update(device="cpu", threads=1)
    params["datasets"]["cats_dogs"]["prepare"]["size"] = 32
    policy = params["policies"][_NAME]
    policy.update({"hflip": 0.0, "views": 2, "style": _STYLE | style})
    for step in _OFF:
        policy[step]["probability"] = 0.0
    inputs = {"dataset": "cats_dogs", "inputs": f"augmented/{_NAME}/views", "augmentation": "none"}
    params["models"]["looks"] = params["models"]["mnist-mlp"] | inputs | {"hidden": [4]}
    params["models"]["looks"]["train"]["epochs"] = 1
    yaml.dump(params, Path("params.yaml"))


def test_the_drawn_images_have_another_look_and_the_others_are_plain(project: Path) -> None:
    augment.main(_NAME)
    plain, stored = open_dataset(Path("data/prepared/cats_dogs")), open_dataset(_VIEWS)
    for view in (1, 2):
        drawn = sample_style(StyleConfig.model_validate(_STYLE), 20, 64, seed=0, epoch=view, step=0)
        seen, images = stored.inputs("train")[20 * (view - 1) : 20 * view], plain.inputs("train")
        same = (seen == images).all((1, 2, 3))
        assert same.tolist() == (~drawn.styled).tolist() and 0 < same.sum() < 20
        far = np.abs(seen.astype(int) - images)[~same].mean((1, 2, 3))
        assert far.min() > 10
    for split in ("val", "test"):
        assert np.array_equal(stored.inputs(split), plain.inputs(split))


def test_the_views_say_which_policy_and_style_they_have(project: Path) -> None:
    augment.main(_NAME)
    weights_provenance = json.loads(Path("data/weights/efficientnet_lite0/provenance.json").read_text())
    plain, stored = open_dataset(Path("data/prepared/cats_dogs")).info.provenance, open_dataset(_VIEWS).info.provenance
    style = {**_STYLE, "weights": weights_provenance}
    assert stored == plain | {"augmentation": {"policy": _NAME, "views": 2, "style": style}}
    assert json.loads((_VIEWS.parent / "policy.json").read_text())["steps"] == {"style": _STYLE}


def test_a_second_run_writes_the_same_bytes(project: Path) -> None:
    augment.main(_NAME)
    files = sorted(path for path in Path("data/augmented").rglob("*") if path.is_file())
    before = [sha256_file(path) for path in files]
    augment.main(_NAME)
    assert [sha256_file(path) for path in files] == before


def test_a_model_trains_on_the_views(project: Path) -> None:
    augment.main(_NAME)
    train.main("looks")
    report = json.loads(Path("reports/models/looks/train.json").read_text())
    assert (report["dataset"], report["provenance"]) == ("cats_dogs", "stand-in")
    from vision_pipeline.models.checkpoint import load_checkpoint

    checkpoint = load_checkpoint(Path("models/looks/checkpoint.pth"))
    assert checkpoint.provenance["augmentation"]["policy"] == _NAME
    assert checkpoint.normalize["mean"] == [0.5] * 3  # symmetric


def test_the_users_own_pictures_are_styles(project: Path) -> None:
    Path("mine").mkdir()
    Image.new("RGB", (50, 40), (255, 0, 0)).save("mine/red.png")
    _change(pictures="mine", probability=1.0, strength=[1.0, 1.0])
    augment.main(_NAME)
    red, green, blue = open_dataset(_VIEWS).inputs("train").mean((0, 1, 2))
    assert red > 200 and max(green, blue) < 60


def test_a_file_that_is_no_picture_is_refused_before_any_view(project: Path) -> None:
    Path("mine").mkdir()
    Path("mine/notes.txt").write_text("no picture")
    _change(pictures="mine")
    with pytest.raises(UserError, match=r"mine/notes\.txt is no style picture: not an image; take it out"):
        augment.main(_NAME)
    assert not _VIEWS.exists()
