"""Comparisons of all pairs of models, of models before and after a change, and the gap to the best."""

from pathlib import Path

import pandas as pd
import pytest
from fake_reports import write_reports

from vision_pipeline.core.errors import UserError
from vision_pipeline.evaluation.leaderboard import build_leaderboard
from vision_pipeline.evaluation.significance import COMPARISON_COLUMNS, compare_all, compare_before_after, gap_to_best
from vision_pipeline.evaluation.tables import read_csv_str


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    for name, ease in (("sure", 9.0), ("fair", 1.5), ("weak", 1.4)):
        write_reports(tmp_path / name, ease=ease)
    write_reports(tmp_path / "alone", "pets")
    return tmp_path


def compare(reports: Path, *names: str) -> tuple[pd.DataFrame, dict[str, str]]:
    board = build_leaderboard(names, reports)
    table = compare_all(board, reports)
    return table, gap_to_best(board, table)


def test_every_pair_of_a_data_set_is_a_row(reports: Path) -> None:
    table, _ = compare(reports, "alone", "weak", "fair", "sure")
    assert tuple(table.columns) == COMPARISON_COLUMNS
    assert list(table["pair"]) == ["sure - fair", "sure - weak", "fair - weak"]
    assert set(table["items"]) == {60}
    assert (table[["both_right", "only_model", "only_other", "both_wrong"]].sum(axis=1) == 60).all()
    assert (table["p_holm"] >= table["p"]).all()
    assert list(table["told_apart"]) == [True, True, False]


def test_the_words_say_how_far_behind_and_whether_it_is_told_apart(reports: Path) -> None:
    _, gaps = compare(reports, "sure", "weak", "alone")
    assert gaps["sure"] == "best"
    assert gaps["alone"] == ""
    board = build_leaderboard(["sure", "weak"], reports).set_index("model")["accuracy"]
    assert gaps["weak"].startswith(f"{100 * (board['weak'] - board['sure']):+.2f} (-")
    assert "not told apart" not in gaps["weak"]
    _, close_gaps = compare(reports, "fair", "weak")
    assert close_gaps["weak"].endswith("), not told apart")


def test_models_that_were_tested_on_other_items_are_no_pair(reports: Path) -> None:
    path = reports / "weak/predictions.csv"
    path.write_text(path.read_text().replace("59.png", "60.png"))
    table, gaps = compare(reports, "sure", "fair", "weak")
    assert list(table["pair"]) == ["sure - fair"]
    assert gaps["weak"] == "tested on other items"


def test_missing_predictions_are_named(reports: Path) -> None:
    (reports / "weak/predictions.csv").unlink()
    with pytest.raises(UserError, match=r"weak/predictions\.csv is missing"):
        compare(reports, "sure", "weak")


def test_what_became_of_models_is_after_less_before_and_corrected_for_all(reports: Path) -> None:
    tested = {name: read_csv_str(reports / name / "predictions.csv") for name in ("sure", "fair", "weak", "alone")}
    gained = {"a": (tested["weak"], tested["sure"]), "b": (tested["weak"], tested["fair"])}
    lost = compare_before_after({"a": (tested["sure"], tested["weak"])})[0]
    first, second = compare_before_after(gained)
    assert (first["model"], second["model"]) == ("a", "b")
    assert first["difference"] == -lost["difference"] == pytest.approx(first["after"] - first["before"])
    assert first["difference"] > 0
    assert first["p_holm"] == pytest.approx(2 * lost["p_holm"])
    assert (first["told_apart"], second["told_apart"]) == (True, False)


def test_what_was_tested_on_other_items_is_no_change(reports: Path) -> None:
    predictions = read_csv_str(reports / "sure/predictions.csv")
    assert compare_before_after({"a": (predictions, predictions[1:])}) == []
