"""The CSV files of a model's report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.evaluation.metrics import compute_per_class, compute_reliability, make_predictions
from vision_pipeline.evaluation.tables import (
    confusion_table,
    per_class_table,
    predictions_table,
    read_csv_str,
    reliability_table,
    write_table,
)

PREDICTIONS = make_predictions(np.array([[0.0, 2.0], [3.0, 0.0], [1.0, 0.0]]), np.array([1, 0, 1]))
NAMES = ["cat", 'dog, "big"']


def test_confusion_has_one_row_for_each_image_sorted_by_class(tmp_path: Path) -> None:
    write_table(tmp_path / "c.csv", confusion_table(PREDICTIONS, NAMES))
    expected = 'actual,predicted\ncat,cat\n"dog, ""big""",cat\n"dog, ""big""","dog, ""big"""\n'
    assert (tmp_path / "c.csv").read_text() == expected


def test_reliability_leaves_empty_bins_out(tmp_path: Path) -> None:
    bins = compute_reliability(np.array([0.55, 0.95, 0.95]), np.array([False, True, True]), 10)
    write_table(tmp_path / "r.csv", reliability_table(bins))
    assert (tmp_path / "r.csv").read_text() == ("confidence,accuracy,count\n0.550000,0.000000,1\n0.950000,1.000000,2\n")


def test_per_class(tmp_path: Path) -> None:
    write_table(tmp_path / "p.csv", per_class_table(compute_per_class(PREDICTIONS.confusion), ["cat", "dog"]))
    assert (tmp_path / "p.csv").read_text() == (
        "class,precision,recall,f1,support\ncat,0.500000,1.000000,0.666667,1\ndog,1.000000,0.500000,0.666667,2\n"
    )


def test_predictions_name_every_image(tmp_path: Path) -> None:
    rows = pd.DataFrame({"hash": ["a1", "b2", "c3"], "name": ["x.png", "y.png", "z.png"]})
    write_table(tmp_path / "p.csv", predictions_table(PREDICTIONS, ["cat", "dog"], rows, with_probabilities=True))
    lines = (tmp_path / "p.csv").read_text().splitlines()
    assert lines[0] == "name,hash,actual,predicted,confidence,p(cat),p(dog)"
    assert lines[1] == "x.png,a1,dog,dog,0.880797,0.119203,0.880797"
    assert lines[3] == "z.png,c3,dog,cat,0.731059,0.731059,0.268941"
    assert len(lines) == 4


def test_words_are_read_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("hash,name\n007,NA\n1e5,\n")
    assert read_csv_str(tmp_path / "rows.csv").to_numpy().tolist() == [["007", "NA"], ["1e5", ""]]
    with pytest.raises(UserError, match=r"gone\.csv is missing"):
        read_csv_str(tmp_path / "gone.csv")
