"""The leaderboard: ranking, warnings, and its text forms."""

import json
from pathlib import Path
from typing import Any

import pytest

from vision_pipeline.core.errors import UserError
from vision_pipeline.evaluation.leaderboard import build_leaderboard, caveats, split_evaluated, to_markdown, to_text
from vision_pipeline.evaluation.tables import write_table

HEADER = (
    "model,dataset,provenance,accuracy,accuracy_low,accuracy_high,parameters,"
    "loss,ece,macro_f1,device,precision,deterministic,epochs,trainable_parameters,synthetic_images,"
    "seeds,accuracy_mean,accuracy_mean_sd,accuracy_mean_low,accuracy_mean_high"
)


def write_report(
    folder: Path, name: str, dataset: str, accuracy: float, *, status: str = "official", synthetic: int = 0
) -> None:
    (folder / name).mkdir(parents=True)
    metrics = {"dataset": dataset, "provenance": status, "accuracy": accuracy, "parameters": 7850, "device": "mps"}
    interval = {"accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.01}
    more = {"loss": 0.25, "ece": 0.02, "macro_f1": 0.9, "images": 100, "seeds": 1}
    train = {"device": "cuda", "precision": "bf16", "deterministic": True, "epochs": 5}
    train |= {"trainable_parameters": 7850, "synthetic_images": synthetic}
    (folder / name / "metrics.json").write_text(json.dumps(metrics | interval | more))
    (folder / name / "train.json").write_text(json.dumps(train))


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    write_report(tmp_path, "a-slow", "mnist", 0.9)
    write_report(tmp_path, "pets", "cats_dogs", 0.99, status="stand-in")
    write_report(tmp_path, "b-fast", "mnist", 0.95)
    write_report(tmp_path, "c-fast", "mnist", 0.95)
    return tmp_path


NAMES = ["a-slow", "pets", "c-fast", "b-fast"]


def make_summaries(**backbones: Any) -> dict[str, dict[str, Any]]:
    return {name: {"backbone": backbones.get(name), "not_held_out": []} for name in NAMES}


def test_csv_header_and_order(reports: Path, tmp_path: Path) -> None:
    write_table(tmp_path / "l.csv", build_leaderboard(NAMES, reports))
    lines = (tmp_path / "l.csv").read_text().splitlines()
    assert lines[0] == HEADER
    assert [line.split(",")[0] for line in lines[1:]] == ["b-fast", "c-fast", "a-slow", "pets"]
    assert lines[1] == (
        "b-fast,mnist,official,0.950000,0.940000,0.960000,7850,0.250000,0.020000,0.900000,cuda,bf16,True,5,7850,0,1,,,,"
    )


def test_only_listed_models_are_ranked_and_missing_ones_are_named(reports: Path) -> None:
    assert split_evaluated(["new", "pets", "newer"], reports) == (["pets"], ["new", "newer"])
    assert build_leaderboard(["pets"], reports)["model"].tolist() == ["pets"]


def test_a_report_without_a_figure_is_refused_by_name(reports: Path) -> None:
    (reports / "pets" / "train.json").write_text(
        '{"device": "cpu", "precision": "fp32", "deterministic": true, "epochs": 1, "synthetic_images": 0}'
    )
    with pytest.raises(UserError, match=r"pets/train.json lacks trainable_parameters"):
        build_leaderboard(NAMES, reports)


def test_warnings_name_stand_ins_and_random_weights(reports: Path) -> None:
    weights = {"name": "densenet121", "weights": {"status": "random"}}
    lines = caveats(build_leaderboard(NAMES, reports), make_summaries(pets=weights))
    assert lines == [
        "cats_dogs: the figures are from stand-in data, not from the real ones; compare them with nothing published.",
        "pets: its backbone densenet121 has random weights, not pretrained ones.",
    ]
    real = {"name": "densenet121", "weights": {"status": "pretrained"}}
    assert caveats(build_leaderboard(["a-slow"], reports), {"a-slow": {"backbone": real, "not_held_out": []}}) == []


def test_figures_that_may_not_come_again_are_told(reports: Path) -> None:
    for name in ("a-slow", "pets"):
        train = json.loads((reports / name / "train.json").read_text())
        (reports / name / "train.json").write_text(json.dumps(train | {"deterministic": False}))
    assert caveats(build_leaderboard(NAMES, reports), make_summaries())[1:] == [
        "a-slow, pets: trained with `deterministic: false`; trained again, the figures may be others."
    ]


def test_a_test_text_that_was_trained_on_is_told(reports: Path) -> None:
    summaries = make_summaries() | {"pets": {"backbone": None, "not_held_out": ["val", "test"]}}
    lines = caveats(build_leaderboard(NAMES, reports), summaries)
    assert lines[1] == (
        "cats_dogs: the test text is the training text itself, so the figures say how well it was learnt by heart."
    )
    assert len(lines) == 2


def test_markdown_starts_with_the_warning(reports: Path) -> None:
    gaps = {"a-slow": "", "b-fast": "best", "pets": ""}
    text = to_markdown(build_leaderboard(["a-slow", "pets"], reports), gaps, ["Mind this."], ["new"])
    assert text == (
        "# Leaderboard\n\n> **Warning.** Mind this.\n\n"
        "| Rank | Model | Data set | Data | Accuracy | 95 % interval | Points to the best "
        "| Mean over seeds | Parameters | Epochs | Device |\n"
        "| --: | :-- | :-- | :-- | --: | --: | :-- | :-- | --: | --: | :-- |\n"
        "| 1 | a-slow | mnist | official | 90.00% | 89.00% to 91.00% |  | — | 7,850 | 5 | cuda |\n"
        "| 1 | pets | cats_dogs | STAND-IN | 99.00% | 98.00% to 100.00% |  | — | 7,850 | 5 | cuda |\n\n"
        "Accuracy on the test set with its 95 % Wilson interval, ranked within each data set. Points to the best: the "
        "difference in percent points with its 95 % interval (Agresti and Min), on the same test items. Not told "
        "apart: by McNemar's exact test, with Holm's correction for all pairs of a data set, p is 0.05 or more. "
        "Mean over seeds: of trainings that differ in nothing else, with its 95 % interval (Student's t).\n\n"
        "Not evaluated yet: new.\n"
    )


def test_the_mean_over_seeds_stands_beside_the_models_own_accuracy(tmp_path: Path) -> None:
    write_report(tmp_path, "thrice", "mnist", 0.9)
    file = tmp_path / "thrice/metrics.json"
    mean = {"accuracy_mean": 0.91, "accuracy_mean_sd": 0.01, "accuracy_mean_low": 0.885, "accuracy_mean_high": 0.935}
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seeds": 3} | mean))
    row = to_markdown(build_leaderboard(["thrice"], tmp_path), {"thrice": ""}, [], []).splitlines()[4]
    assert row.split(" | ")[4:8] == ["90.00%", "89.00% to 91.00%", "", "91.00% (88.50% to 93.50%, 3 seeds)"]


def test_synthetic_images_stand_beside_the_status_of_the_real_ones(tmp_path: Path) -> None:
    write_report(tmp_path, "plain", "mnist", 0.9)
    write_report(tmp_path, "helped", "mnist", 0.8, synthetic=1000)
    write_report(tmp_path, "pets", "cats_dogs", 0.7, status="stand-in", synthetic=20)
    names = ["plain", "helped", "pets"]
    lines = to_markdown(build_leaderboard(names, tmp_path), dict.fromkeys(names, ""), [], []).splitlines()
    assert [line.split(" | ")[3] for line in lines if line.startswith("| 1") or line.startswith("| 2")] == [
        "official",
        "official + 1,000 synthetic",
        "STAND-IN + 20 synthetic",
    ]


def test_terminal_columns_are_aligned(reports: Path) -> None:
    gaps = {"b-fast": "best", "c-fast": "-1.00 (-2.00 to +0.10), not told apart", "a-slow": "best", "pets": ""}
    lines = to_text(build_leaderboard(NAMES, reports), gaps).splitlines()
    assert [line.split()[:2] for line in lines if line] == [
        ["Rank", "Model"],
        ["1", "b-fast"],
        ["2", "c-fast"],
        ["3", "a-slow"],
        ["1", "pets"],
    ]
    assert [index for index, line in enumerate(lines) if not line] == [1, 5]  # a line between data sets
    starts = {line.index(word) for line, word in zip(lines[2:5], ("mnist",) * 3, strict=True)}
    assert starts == {lines[0].index("Data set")}
