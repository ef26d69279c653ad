"""Folders that are named as splits, or look like them, do not become classes."""

from pathlib import Path

import pytest
from own_folder import fill, packed

from vision_pipeline.core.errors import UserError
from vision_pipeline.sources.image_folder import guess_split, pack_image_folder


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (
            "Test/a Test/b Train/a Train/b",
            "holds Test/, Train/, named as splits.*rename Test/ to test/, rename Train/ to",
        ),
        ("training/a training/b validation/a", "holds training/, validation/.*move the images of validation/ into the"),
        ("test/a test/b valid/a valid/b", "holds test/, valid/, named as splits"),
        ("train/a train/b test/a test/b val/a", "holds test/, train/, val/, named.*move the images of val/ into"),
        ("train/a train/b fold2/a", "holds train/, named as splits.*take fold2/ out of .*own"),
        ("train_set/a train_set/b", "holds train_set/, named as splits.*rename train_set/ to train/"),
        ("train test cat", "holds test/, train/, named as splits.*take cat/ out of"),
        ("one/cat one/dog two/cat two/dog", "holds one/, two/, .*the same folders in each, cat/, dog/"),
        ("cat/train cat/test dog/train dog/val", "cat holds test/, train/, .*own/train/cat"),
    ],
)
def test_splits_are_not_packed_as_classes(tmp_path: Path, into: Path, folders: str, message: str) -> None:
    fill(tmp_path / "own", *(f"{folder}/1.png" for folder in folders.split()))
    with pytest.raises(UserError, match=message):
        pack_image_folder(tmp_path / "own", into)
    assert list(into.iterdir()) == []


@pytest.mark.parametrize(
    ("folders", "classes"),
    [
        ("bus car train", ["bus", "car", "train"]),
        ("bus test test/deep", ["bus", "test"]),
        ("cat/images dog/images", ["cat", "dog"]),
        ("cat/indoor cat/outdoor dog/indoor", ["cat", "dog"]),
        ("invalid valid", ["invalid", "valid"]),
        ("one one/cat one/dog two/cat two/dog", ["one", "two"]),
    ],
)
def test_classes_stay_classes(tmp_path: Path, into: Path, folders: str, classes: list[str]) -> None:
    fill(tmp_path / "own", *(f"{folder}/1.png" for folder in folders.split()))
    assert pack_image_folder(tmp_path / "own", into) == classes
    assert {name.partition("/")[0] for name, _, _ in packed(into, "train")} == set(classes)


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("train", "train Train TRAINING 01_train train_set train-images Training(1) trainset train2017 trainval"),
        ("val", "val Val valid validation Validation_Set val2017 dev"),
        ("test", "test Test testing test-images testset PublicTest eval evaluation"),
    ],
)
def test_names_of_splits_in_any_case_and_spelling(kind: str, names: str) -> None:
    assert {guess_split(name) for name in [*names.split(), f"{kind} set"]} == {kind}


def test_names_that_only_begin_as_a_split() -> None:
    names = ("trainer", "trains", "training shoes", "vale", "invalid", "test tube", "contest", "device", "cat", "数据")
    assert [name for name in names if guess_split(name)] == []
