"""Prepare reports the balance of the classes."""

import pytest

from vision_pipeline.data.prepare_report import print_class_balance


@pytest.mark.parametrize(
    ("counts", "line"),
    [
        ({"a": 10, "b": 8}, "train: largest class a 10, smallest b 8, ratio 1.25"),
        ({"a": 1200, "b": 600}, "WARNING: train: largest class a 1,200, smallest b 600, ratio 2.00; `models.*"),
        ({"a": 1200, "b": 0}, "WARNING: train: no example of class b, 1,200 of a; no model can learn what it never"),
        ({"a": 7}, "train: largest class a 7, smallest a 7, ratio 1.00"),
    ],
)
def test_how_even_the_classes_are(counts: dict[str, int], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_class_balance(counts)
    assert "".join(capsys.readouterr()).startswith(line)
