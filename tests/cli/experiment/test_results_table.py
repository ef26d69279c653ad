"""An experiment's table and figure, from fake metrics."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ttest_1samp

from vision_pipeline.cli.experiment.results_plot import plot_experiment
from vision_pipeline.cli.experiment.results_table import (
    describe_depth,
    format_cell,
    judge_reproduction,
    render_results_markdown,
    summarize_over_seeds,
    tabulate_results,
)
from vision_pipeline.cli.experiment.variants import ExperimentConfig, PublishedResult, Variant
from vision_pipeline.core.errors import UserError
from vision_pipeline.evaluation.tables import table_to_records


def fake_metrics(accuracy: float, **more: Any) -> dict[str, Any]:
    metrics = {"accuracy": accuracy, "accuracy_low": accuracy - 0.01, "accuracy_high": accuracy + 0.01}
    metrics |= {"val_accuracy": 0.5, "parameters": 109386, "first_layer_gradient": 1e-7, "provenance": "official"}
    return metrics | more


def experiment(seeds: list[int]) -> ExperimentConfig:
    levels = {"1": {}, "3": {}}
    return ExperimentConfig(
        about="Depth", base="mnist-mlp", vary={"depth": levels, "kind": {"a": {}, "b": {}}}, seeds=seeds,
        figure={"x": "depth", "y": ["accuracy", "first_layer_gradient"], "lines": "kind"},
    )  # fmt: skip


VARIANTS = [
    Variant(f"e-{level}-{kind}", {"depth": level, "kind": kind}, {"hidden": [8] * int(level)})
    for level in ("1", "3")
    for kind in ("a", "b")
]


def test_of_one_seed_the_interval_is_the_one_over_test_images() -> None:
    rows = tabulate_results(experiment([0]), VARIANTS, [[fake_metrics(0.9)]] * 4)
    assert list(rows)[:5] == ["depth", "kind", "hidden_layers", "shallow_or_deep", "data"]
    assert rows["accuracy_low"].tolist() == [pytest.approx(0.89)] * 4
    assert "val_accuracy_low" not in rows
    assert rows["shallow_or_deep"].tolist() == ["shallow", "shallow", "deep", "deep"]


def test_over_seeds_it_is_students() -> None:
    values = [0.90, 0.91, 0.95]
    summary = summarize_over_seeds("accuracy", [fake_metrics(value) for value in values])
    low, high = ttest_1samp(values, 0.0).confidence_interval(0.95)
    assert summary == {
        "accuracy": pytest.approx(0.92),
        "accuracy_low": pytest.approx(low),
        "accuracy_high": pytest.approx(high),
    }


def test_an_accuracy_lies_between_0_and_1_and_so_does_its_interval() -> None:
    summary = summarize_over_seeds("accuracy", [fake_metrics(0.99), fake_metrics(0.5)])
    assert (summary["accuracy_low"], summary["accuracy_high"]) == (0.0, 1.0)
    assert summarize_over_seeds("loss", [fake_metrics(0, loss=0.1), fake_metrics(0, loss=3.0)])["loss_low"] < 0


def test_where_all_seeds_agree_there_is_no_interval() -> None:
    assert summarize_over_seeds("parameters", [fake_metrics(0.9), fake_metrics(0.8)]) == {"parameters": 109386}


def test_a_figure_that_no_model_has_is_refused_with_the_nearest() -> None:
    with pytest.raises(UserError, match=r"figure\.y is 'acuracy'; did you mean 'accuracy'"):
        summarize_over_seeds("acuracy", [fake_metrics(0.9)])


@pytest.mark.parametrize(
    ("model", "label"),
    [
        ({"hidden": []}, (0, "shallow")),
        ({"hidden": [9, 9]}, (2, "shallow")),
        ({"hidden": [9, 9, 9]}, (3, "deep")),
        ({"channels": [4, 4], "hidden": [9]}, (3, "deep")),
    ],
)
def test_what_a_depth_is_called(model: dict, label: tuple) -> None:
    assert tuple(describe_depth(model).values()) == label
    assert describe_depth({"widths": [4]}) == describe_depth({"hidden": 8, "layers": 1}) == {}


def test_the_page_has_each_figure_with_its_interval_and_warns_of_stand_ins() -> None:
    rows = tabulate_results(experiment([0]), VARIANTS, [[fake_metrics(0.9, provenance="stand-in")]] * 4)
    page = render_results_markdown("e", experiment([0]), rows)
    assert "| 1 | a | 1 | shallow | STAND-IN | 90.00% (89.00% to 91.00%) | 1e-07 | 50.00% | 109,386 |" in page
    assert "**Warning.** Measured on stand-in data" in page
    assert "One seed; the 95 % interval is Wilson's, over the test images." in page
    official = render_results_markdown(
        "e", experiment([0, 1]), tabulate_results(experiment([0, 1]), VARIANTS, [[fake_metrics(0.9)] * 2] * 4)
    )
    assert "Warning" not in official
    assert "Mean over 2 seeds" in official


def test_no_figure_is_a_dash() -> None:
    assert format_cell("val_loss", {"val_loss": float("nan")}) == "—"


def test_the_figure_is_drawn_and_its_bytes_depend_on_the_table_alone(tmp_path: Path) -> None:
    rows = tabulate_results(experiment([0]), VARIANTS, [[fake_metrics(value)] for value in (0.9, 0.8, 0.95, 0.1)])
    for name in ("a.png", "b.png"):
        plot_experiment(tmp_path / name, experiment([0]), rows)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert np.asarray(Image.open(tmp_path / "a.png").convert("L")).std() > 5


@pytest.mark.parametrize(
    ("figure", "here", "verdict"),
    [
        ("accuracy", (0.90, 0.88, 0.92), "reproduced"),
        ("accuracy", (0.95, 0.94, 0.96), "beaten"),
        ("accuracy", (0.85, 0.84, 0.86), "missed"),
        ("last_train_loss", (0.95, 0.94, 0.96), "missed"),
        ("last_train_loss", (0.85, 0.84, 0.86), "beaten"),
        ("accuracy", (0.90, None, None), "reproduced"),
    ],
)
def test_what_was_reported_is_reproduced_beaten_or_missed(
    figure: str, here: tuple[float, float | None, float | None], verdict: str
) -> None:
    reported = PublishedResult(variant="course", figure=figure, value=0.9, source="a notebook")
    ends = {f"{figure}_low": here[1], f"{figure}_high": here[2]} if here[1] is not None else {}
    assert judge_reproduction(reported, {"data": "official", figure: here[0], **ends}) == verdict
    assert (
        judge_reproduction(reported, {"data": "stand-in", figure: here[0], **ends}) == "not comparable: stand-in data"
    )


def test_where_one_variants_seeds_agree_and_anothers_do_not_equal_is_reproduced() -> None:
    summary = [[fake_metrics(value)] * 2 for value in (1.0, 0.8, 0.95)] + [[fake_metrics(0.1), fake_metrics(0.3)]]
    (row, *_) = table_to_records(tabulate_results(experiment([0, 1]), VARIANTS, summary))
    reported = PublishedResult(variant="course", figure="accuracy", value=1.0, source="a notebook")
    assert judge_reproduction(reported, row | {"data": "official"}) == "reproduced"


def test_the_page_holds_the_figures_against_what_was_reported() -> None:
    config = experiment([0, 1])
    reported = [PublishedResult(variant="3-b", figure="accuracy", value=0.95, source="a notebook")]
    config = config.model_copy(update={"reported": reported})
    variants = [
        Variant(f"depth-{depth}-{kind}", {"depth": depth, "kind": kind}, {}) for depth in ("1", "3") for kind in "ab"
    ]
    rows = tabulate_results(config, variants, [[fake_metrics(0.9), fake_metrics(0.91)]] * 4)
    page = render_results_markdown("depth", config, rows)
    assert "## Against what is reported elsewhere" in page
    assert "| 3-b | accuracy | 95.00% | 90.50% (84.15% to 96.85%) | reproduced | a notebook |" in page
