"""Prepare on data that it refuses: what was left out is listed all the same."""

import csv
from pathlib import Path

import pytest
from prepared_data import Prepare, raw, rejects
from raw_folders import encoded, random_images, write_parquet, write_provenance

from vision_pipeline.core.errors import UserError


def write(contents: list[bytes | None], labels: list[int | None]) -> None:
    write_provenance(raw("cats_dogs"), "parquet", ["cat", "dog"])
    names: list[str | None] = [f"{index}.png" for index in range(len(contents))]
    write_parquet(raw("cats_dogs"), "train", contents, labels, paths=names)


def listed() -> list[list[str]]:
    """Return the rejects of a data set that was refused."""
    with Path("data/prepared/cats_dogs.rejects.csv").open(newline="") as file:
        return list(csv.reader(file))[1:]


def test_a_class_whose_images_were_all_rejected_is_listed(prepare: Prepare) -> None:
    good = [encoded(image) for image in random_images(10, 8, 8)]
    write([*good, b"junk", b"", good[0][:60]], [0] * 10 + [1] * 3)
    with pytest.raises(UserError) as caught:
        prepare("cats_dogs")
    counts = "1 not an image, 1 empty file, 1 cut off"
    assert str(caught.value) == (
        f"class 'dog' has no image to train on; 3 left out ({counts}), see data/prepared/cats_dogs.rejects.csv; "
        "add images or drop the class"
    )
    assert listed() == [["10.png", "not an image"], ["11.png", "empty file"], ["12.png", "cut off"]]
    assert [path.name for path in Path("data/prepared").iterdir()] == ["cats_dogs.rejects.csv"]  # nothing of DVC's outs


def test_too_few_images_for_a_split_are_explained_by_what_was_left_out(prepare: Prepare) -> None:
    write([*(encoded(image) for image in random_images(2, 8, 8)), b"junk"], [0, 1, 0])
    with pytest.raises(UserError, match=r"split would be empty: .*; 1 left out \(1 not an image\), see data/prepared"):
        prepare("cats_dogs")
    assert listed() == [["2.png", "not an image"]]
    write([encoded(image) for image in random_images(20, 8, 8)], [0, 1] * 10)
    prepare("cats_dogs")
    assert rejects("cats_dogs") == []
    assert not Path("data/prepared/cats_dogs.rejects.csv").exists()  # it was of the run before


def test_two_classes_of_one_name_are_refused(prepare: Prepare) -> None:
    write([encoded(image) for image in random_images(20, 8, 8)], [0, 1] * 10)
    write_provenance(raw("cats_dogs"), "parquet", ["cat", "cat"])
    with pytest.raises(UserError, match=r"provenance.json is damaged \(two classes have the name 'cat'\)"):
        prepare("cats_dogs")
