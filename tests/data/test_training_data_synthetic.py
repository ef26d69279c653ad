"""Synthetic images beside real ones."""

import json
from pathlib import Path

import numpy as np
import pytest
from tiny_model import write_set

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.format import PreparedDataset, open_dataset
from vision_pipeline.data.training_data import load_training_data, stratified_subset, write_synthetic


@pytest.fixture
def data(tmp_path: Path) -> PreparedDataset:
    write_set(tmp_path / "tiny")
    return open_dataset(tmp_path / "tiny")


def _write_images(data: PreparedDataset, folder: Path, source: str = "", size: int = 8) -> Path:
    images = np.arange(6 * size * size, dtype=np.uint8).reshape(6, size, size, 1)
    metadata = {"name": "gan", "source": source or data.info.digest}
    write_synthetic(folder, images, np.array([0, 0, 0, 1, 1, 1]), metadata)
    return folder


def test_none_leaves_the_training_images_as_they_are(data: PreparedDataset, repository: Path) -> None:
    train_data = load_training_data(
        data, "tiny", fraction=1.0, seed=0, folder=repository / "data/synthetic/none/images"
    )
    assert train_data.tags() == {"synthetic": "none", "synthetic_images": 0}
    assert np.array_equal(train_data.inputs, data.inputs("train"))
    assert np.array_equal(train_data.targets, data.targets("train"))


@pytest.mark.parametrize("fraction", [1.0, 0.3])
def test_made_images_stand_behind_the_share_of_real_ones(
    data: PreparedDataset, tmp_path: Path, fraction: float
) -> None:
    folder = _write_images(data, tmp_path / "images")
    train_data = load_training_data(data, "tiny", fraction=fraction, seed=5, folder=folder)
    rows = stratified_subset(data.targets("train"), fraction, 5, "tiny")
    assert train_data.tags() == {"synthetic": "gan", "synthetic_images": 6}
    assert np.array_equal(train_data.inputs[:-6], data.inputs("train")[rows])
    assert np.array_equal(train_data.inputs[-6:], np.load(folder / "inputs.npy"))
    assert train_data.targets.tolist() == [*data.targets("train")[rows], 0, 0, 0, 1, 1, 1]


def test_the_folder_says_that_they_are_synthetic(data: PreparedDataset, tmp_path: Path) -> None:
    metadata = json.loads((_write_images(data, tmp_path / "images") / "about.json").read_text())
    assert metadata["synthetic"] is True
    assert metadata["images"] == 6
    assert len(metadata["inputs_sha256"]) == len(metadata["targets_sha256"]) == 64


@pytest.mark.parametrize("wrong", [{"source": "0" * 64}, {"size": 12}])
def test_images_made_from_other_data_are_refused(data: PreparedDataset, tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(UserError, match=r"was made from other images than those of .*tiny; `dvc repro`"):
        load_training_data(data, "tiny", fraction=1.0, seed=0, folder=_write_images(data, tmp_path / "images", **wrong))
