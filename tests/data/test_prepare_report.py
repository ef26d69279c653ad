"""A class, or a test part, that has no image left: the reasons with their counts, and the file that lists them."""

from pathlib import Path

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.data.ingest import ImageRecord, RejectedImage
from vision_pipeline.data.prepare_report import check_class_coverage
from vision_pipeline.data.readers.raw import SourceSplit

NAMES = ["ant", "bee", "cow"]
FILE = Path("rejects.csv")


def row(label: int, part: SourceSplit = "train") -> ImageRecord:
    return ImageRecord(0, part, label, "", "")


def rejects(label: int, *reasons: str, part: SourceSplit = "train") -> list[RejectedImage]:
    return [RejectedImage(f"{index}.jpg", reason, part, label) for index, reason in enumerate(reasons)]


def test_a_class_without_images_says_why_they_were_left_out() -> None:
    left_out = rejects(1, "not an image", "cut off", "not an image") + rejects(0, "empty file")
    with pytest.raises(UserError) as caught:
        check_class_coverage([row(0), row(2)], left_out, NAMES, FILE)
    assert str(caught.value) == (
        "class 'bee' has no image to train on; 3 left out (2 not an image, 1 cut off), see rejects.csv; "
        "add images or drop the class"
    )


def test_reasons_that_name_other_files_count_as_one() -> None:
    left_out = rejects(1, "twice in train: a.jpg", "twice in train: b.jpg", "too large: 9 x 9; a JPEG may have more")
    with pytest.raises(UserError, match=r"3 left out \(2 twice in train, 1 too large\)"):
        check_class_coverage([row(0), row(2)], left_out, NAMES, FILE)


def test_several_classes_are_named_and_many_are_counted() -> None:
    with pytest.raises(UserError, match=r"^classes 'ant', 'bee', 'cow' have no image to train on; 1 left out"):
        check_class_coverage([], rejects(0, "cut off"), NAMES, FILE)
    with pytest.raises(UserError, match=r"'4' and 95 more have no image to train on; add images or drop the class$"):
        check_class_coverage([], [], [str(label) for label in range(100)], FILE)


def test_an_image_of_the_test_part_does_not_train() -> None:
    with pytest.raises(UserError, match="class 'ant' has no image to train on"):
        check_class_coverage([row(0, "test"), row(1), row(2)], [], NAMES, FILE)


def test_a_test_part_that_was_left_out_is_not_replaced_in_silence() -> None:
    with pytest.raises(UserError, match=r"test part of the source has no image; 2 left out \(2 cut off\), see rejects"):
        check_class_coverage([row(0), row(1), row(2)], rejects(0, "cut off", "cut off", part="test"), NAMES, FILE)


def test_a_class_that_left_the_test_part_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [row(0), row(1), row(2), row(1, "test")]
    check_class_coverage(rows, rejects(0, "cut off", part="test") + rejects(1, "cut off", part="test"), NAMES, FILE)
    assert capsys.readouterr().err == (
        "WARNING: class 'ant' has no image to be tested on; 1 left out (1 cut off), see rejects.csv\n"
    )


def test_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    check_class_coverage([row(0), row(1), row(2)], rejects(0, "cut off"), NAMES, FILE)
    check_class_coverage([row(0), row(1), row(2), row(1, "test")], [], NAMES, FILE)
    assert capsys.readouterr().err == ""
