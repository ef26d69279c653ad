"""The records that are logged of a model, read from its reports."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tests.tracking.sample_reports import REPORTS, write_exports, write_test
from vision_pipeline.tracking.records import (
    evaluation_record,
    export_record,
    make_metric_names,
    read_f1_by_class,
    training_record,
)


def test_an_epochs_figures_are_those_of_the_whole_and_of_the_layers(workspace):
    record = training_record(REPORTS)
    assert record.metrics[0] == {"layers.first.gradient_norm": 2.0, "layers.first.saturated": 0.25} | {
        "layers.output.gradient_norm": 1.0
    }
    assert record.metrics[1].keys() > {"val_accuracy", "layers.first.gradient_norm"}
    assert record.artifacts == {"": [REPORTS / file for file in ("train.json", "history.csv", "layers.csv")]}


def test_of_a_test_its_figures_are_logged_and_its_files_apart_from_the_trainings(workspace):
    write_test(REPORTS)
    record = evaluation_record(REPORTS, {"bins": 15})
    accuracy = {"test.accuracy": 0.9, "test.accuracy_low": 0.8, "test.accuracy_high": 0.95}
    assert record.metrics == {0: {**accuracy, "test.images": 10.0, "test.f1.cat": 0.8, "test.f1.dog": 1.0}}
    note = "90.00% (80.00% to 95.00%), mnist, official"
    assert record.tags == {"evaluate.bins": "15", "mlflow.note.content": note}
    names = {folder: [file.name for file in files] for folder, files in record.artifacts.items()}
    assert names == {"": ["summary.csv"], "test": ["metrics.json", "mistakes.png", "per_class.csv"]}


def test_a_text_has_no_figures_of_each_symbol(workspace):
    write_test(REPORTS, bits_per_character=2.0)
    assert "test.f1.cat" not in evaluation_record(REPORTS, {}).metrics[0]


def test_class_names_become_names_that_mlflow_admits(tmp_path):
    (tmp_path / "per_class.csv").write_text("class,f1\nT-shirt/top,1.0\n<b>,0.5\n")
    assert read_f1_by_class(tmp_path / "per_class.csv") == {"f1.T-shirt_top": 1.0, "f1._b_": 0.5}


def test_classes_that_come_to_one_name_get_their_index(tmp_path):
    classes = ["(", ")", "+", "-", ",", "=", "cat"]
    (tmp_path / "per_class.csv").write_text(
        "class,f1\n" + "".join(f'"{name}",{index / 10}\n' for index, name in enumerate(classes))
    )
    assert read_f1_by_class(tmp_path / "per_class.csv") == {
        "f1._.0": 0.0, "f1._.1": 0.1, "f1._.2": 0.2, "f1.-": 0.3, "f1._.4": 0.4, "f1._.5": 0.5, "f1.cat": 0.6
    }  # fmt: skip


def test_a_class_whose_name_mlflow_admits_keeps_it():
    assert make_metric_names(["a/b", "a_b", "a:b"]) == ["a_b.0", "a_b", "a_b.2"]
    assert make_metric_names(["_.2", "(", ")"]) == ["_.2", "_.1", "_.2.2"]
    assert make_metric_names(["T-shirt/top", "Ankle boot", "猫"]) == ["T-shirt_top", "Ankle boot", "猫"]


def test_long_names_that_begin_alike_get_their_index():
    names = make_metric_names(["a" * 100 + "b", "a" * 100 + "c", "d" * 150, "a" * 100])
    assert names == ["a" * 100 + ".0", "a" * 100 + ".1", "d" * 100, "a" * 100]


@given(st.lists(st.text(min_size=1, max_size=120), max_size=30, unique=True))
def test_every_class_has_a_metric_of_its_own_that_mlflow_admits(classes):
    from mlflow.utils.validation import _validate_metric_name

    names = make_metric_names(classes)
    assert len(set(names)) == len(classes)
    for name in names:
        _validate_metric_name(f"test.f1.{name}")


def test_of_exports_the_widest_gap_is_logged(workspace):
    write_exports(Path("exports/mnist-mlp"))
    record = export_record(Path("exports/mnist-mlp"), {"max_logit_gap": 0.001})
    assert record.metrics == {0: {"export.accuracy": 0.9, "export.max_logit_gap": 0.0002}}
    assert [file.name for file in record.artifacts["export"]] == ["card.md", "parity.json"]
