"""The stage that computes features."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from ruamel.yaml import YAML

from stages import featurize, weights
from vision_pipeline.augmentation.transforms import resolve_policy
from vision_pipeline.config.load import load_params
from vision_pipeline.core.errors import UserError
from vision_pipeline.core.files import write_json
from vision_pipeline.data.format import SPLITS, create_memmap, open_dataset, write_info, write_targets
from vision_pipeline.models.backbones import load_backbone
from vision_pipeline.runtime.preprocessing import PixelModel

NAME = "cats_dogs-efficientnet_lite0"
ROWS = {"train": 6, "val": 2, "test": 3}


@pytest.fixture
def workspace(tmp_path: Path, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Eleven random images of 32 x 32, weights from the package, fp32, two views of train."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATA_MIRROR", raising=False)
    params = YAML(typ="safe", pure=True).load((repository / "params.yaml").read_text())
    params.update(device="cpu", precision="fp32", threads=1)
    params["features"][NAME].update(batch_size=4, views=2, augmentation="cats_dogs-mixed")
    with Path("params.yaml").open("w") as file:
        YAML().dump(params, file)
    policy = load_params("policies.cats_dogs-mixed")[0]
    write_json(Path("data/augmented/cats_dogs-mixed/policy.json"), resolve_policy("cats_dogs-mixed", policy))
    _write_images(Path("data/prepared/cats_dogs"), [32, 32, 3])
    weights.main("efficientnet_lite0")
    return tmp_path


def _write_images(folder: Path, shape: list[int]) -> None:
    random = np.random.default_rng(0)
    for split in SPLITS:
        create_memmap(folder, split, num_rows=ROWS[split], shape=shape, kind="images")[:] = random.integers(
            0, 256, (ROWS[split], *shape)
        )
        write_targets(folder, split, np.arange(ROWS[split]) % 2)
        rows = "".join(f"{row:064x},{row}.jpg\n" for row in range(ROWS[split]))
        (folder / split / "rows.csv").write_text("hash,name\n" + rows)
    write_info(
        folder,
        "images",
        ["cat", "dog"],
        mean=[0.5] * 3,
        std=[0.3] * 3,
        provenance={"name": "cats_dogs", "status": "stand-in"},
    )


def test_features_are_those_of_the_backbone_in_row_order(workspace: Path) -> None:
    featurize.main(NAME)
    folder = Path("data/features") / NAME
    features, images = open_dataset(folder), open_dataset(Path("data/prepared/cats_dogs"))
    assert features.info.kind == "features"
    assert features.info.shape == [1280]
    assert features.info.counts["train"] == {"cat": 6, "dog": 6}
    body = load_backbone("timm", "tf_efficientnet_lite0", folder / "backbone.safetensors")
    network = PixelModel(body, [127 / 255] * 3, [128 / 255] * 3)  # (pixel - 127) / 128
    for split in SPLITS:
        expected = network(torch.from_numpy(np.array(images.inputs(split)))).numpy()
        np.testing.assert_allclose(features.inputs(split)[: ROWS[split]], expected, rtol=2e-3, atol=2e-3)
        views = 2 if split == "train" else 1
        assert features.targets(split).tolist() == images.targets(split).tolist() * views
    train = features.inputs("train").astype(np.float64)
    np.testing.assert_allclose(features.info.mean, train.mean(0), rtol=1e-5, atol=1e-7)
    assert np.abs(train[:6] - train[6:]).max() > 0.1  # the second view is augmented


def test_what_else_the_folder_holds(workspace: Path) -> None:
    featurize.main(NAME)
    folder, prepared = Path("data/features") / NAME, Path("data/prepared/cats_dogs")
    backbone = json.loads((folder / "backbone.json").read_text())
    weights = Path("data/weights/efficientnet_lite0")
    assert backbone["parameters"] == 3_371_008
    assert backbone.pop("weights") == (weights_provenance := json.loads((weights / "provenance.json").read_text()))
    assert backbone == json.loads((weights / "backbone.json").read_text())
    assert open_dataset(folder).info.provenance == {
        "name": "cats_dogs",
        "status": "stand-in",
        "backbone": {"name": "efficientnet_lite0", "weights": weights_provenance},
    }
    assert (folder / "test/rows.csv").read_bytes() == (prepared / "test/rows.csv").read_bytes()
    header, *rows = (prepared / "train/rows.csv").read_text().splitlines()
    assert (folder / "train/rows.csv").read_text().splitlines() == [header, *rows, *rows]


def test_a_second_run_gives_the_same_bytes(workspace: Path) -> None:
    folder = Path("data/features") / NAME
    featurize.main(NAME)
    first = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    torch.rand(5)
    featurize.main(NAME)
    assert first == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert len(first) == 3 + 3 * 3


@pytest.mark.parametrize("shape", [[32, 32, 1], [28, 28, 3]])
def test_images_that_a_backbone_cannot_take_are_refused(workspace: Path, shape: list[int]) -> None:
    _write_images(Path("data/prepared/cats_dogs"), shape)
    with pytest.raises(UserError, match=r"set datasets\.cats_dogs\.prepare\.size and .*channels to 3"):
        featurize.main(NAME)
    assert not Path("data/features").exists()
