"""A sweep's table and figures, from fake trials."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial
from PIL import Image

from vision_pipeline.cli.sweep import trials_plot
from vision_pipeline.cli.sweep.search_space import SweepConfig
from vision_pipeline.cli.sweep.trials_plot import ParallelAxis, plot_parallel_coordinates, plot_param_importance
from vision_pipeline.cli.sweep.trials_table import rank_trials, render_trials_markdown, tabulate_trials

SPACE = {"train.lr": FloatDistribution(0.001, 1.0, log=True), "hidden": CategoricalDistribution(["[8]", "[8, 4]"])}


def sweep(**changes: Any) -> SweepConfig:
    space = {"train.lr": {"low": 0.001, "high": 1.0, "log": True}, "hidden": {"choices": [[8], [8, 4]]}}
    config = {"about": "A search", "model": "m", "trials": 5, "seed": 0, "space": space}
    return SweepConfig.model_validate(config | changes)


def trial(number: int, state: TrialState, lr: float, value: float | None = None, **more: Any) -> FrozenTrial:
    frozen = create_trial(
        state=state, value=value, params={"train.lr": lr, "hidden": "[8]"}, distributions=SPACE, **more
    )
    frozen.number = number
    return frozen


def fake_trials(data: str = "official") -> list[FrozenTrial]:
    attributes = {"epochs": 5, "provenance": data}
    return [
        trial(0, TrialState.COMPLETE, 0.003, 0.9, user_attrs=attributes),
        trial(1, TrialState.FAIL, 0.9),
        trial(2, TrialState.PRUNED, 0.5, intermediate_values={1: 0.2, 2: 0.3}),
        trial(4, TrialState.COMPLETE, 0.01, 0.95, user_attrs=attributes),
    ]


def test_a_row_says_what_became_of_a_trial() -> None:
    rows = tabulate_trials("tiny", sweep(), fake_trials())
    assert list(rows) == ["trial", "state", "train.lr", "hidden", "val_accuracy", "epochs", "data"]
    assert rows["trial"].tolist() == ["tiny-0000", "tiny-0001", "tiny-0002", "tiny-0004"]
    assert rows["state"].tolist() == ["finished", "failed", "pruned", "finished"]
    assert rows["val_accuracy"].tolist() == [0.9, pytest.approx(np.nan, nan_ok=True), 0.3, 0.95]
    assert rows["epochs"].tolist() == [5, pytest.approx(np.nan, nan_ok=True), 2, 5]


@pytest.mark.parametrize(("metric", "best"), [("val_accuracy", "tiny-0004"), ("val_loss", "tiny-0000")])
def test_the_best_stands_first_and_what_has_no_figure_last(metric: str, best: str) -> None:
    config = sweep(metric=metric)
    order = rank_trials(config, tabulate_trials("tiny", config, fake_trials()))["trial"].tolist()
    assert order[0] == best
    assert order[2:] == ["tiny-0002", "tiny-0001"]


def test_of_equals_the_first_is_the_best_in_table_and_figure(tmp_path: Path) -> None:
    equal = [trial(number, TrialState.COMPLETE, 0.01, 0.9, user_attrs={"epochs": 5}) for number in (3, 4)]
    rows = tabulate_trials("tiny", sweep(), equal)
    assert rank_trials(sweep(), rows)["trial"].tolist() == ["tiny-0003", "tiny-0004"]
    assert "`dvc exp apply tiny-0003`" in render_trials_markdown("tiny", sweep(), rows)
    with pytest.MonkeyPatch.context() as patch:
        drawn: list[Any] = []
        patch.setattr(trials_plot, "save_figure", lambda figure, path: drawn.append(figure))
        plot_parallel_coordinates(tmp_path / "a.png", sweep(), rows)
    assert [text.get_text() for text in drawn[0].legends[0].get_texts()] == ["tiny-0003"]


def test_the_page_says_how_to_take_the_best_over() -> None:
    page = render_trials_markdown("tiny", sweep(), tabulate_trials("tiny", sweep(), fake_trials()))
    assert "| tiny-0004 | finished | 0.01 | [8] | 95.00% | 5 |" in page
    assert "| tiny-0001 | failed | 0.9 | [8] | — | — |" in page
    assert "Trials of m: 2 finished, 1 pruned, 1 failed." in page
    assert "`dvc exp apply tiny-0004`" in page
    assert "Warning" not in page
    assert "**Warning.** Measured on stand-in data" in render_trials_markdown(
        "t", sweep(), tabulate_trials("t", sweep(), fake_trials("stand-in"))
    )


def test_without_a_finished_trial_there_is_nothing_to_take_over() -> None:
    assert "dvc exp apply" not in render_trials_markdown(
        "t", sweep(), tabulate_trials("t", sweep(), fake_trials()[1:3])
    )


@pytest.mark.parametrize("trials", [fake_trials(), fake_trials("stand-in")[:1]])
def test_the_figures_are_drawn_and_their_bytes_depend_on_the_table_alone(tmp_path: Path, trials: list) -> None:
    rows = tabulate_trials("tiny", sweep(), trials)
    for name in ("a", "b"):
        plot_parallel_coordinates(tmp_path / f"parallel-{name}.png", sweep(), rows)
        plot_param_importance(tmp_path / f"importance-{name}.png", sweep(), {"train.lr": 0.8, "hidden": 0.2}, rows)
    for kind in ("parallel", "importance"):
        first, second = (tmp_path / f"{kind}-{name}.png" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
        assert np.asarray(Image.open(first).convert("L")).std() > 5


def test_a_trial_lower_on_an_axis_is_drawn_lower() -> None:
    values = pd.DataFrame({"train.lr": [0.001, 0.1, 1.0], "hidden": ["[8]", "[8, 4]", "[8]"]})
    assert ParallelAxis.from_dimension("train.lr", sweep().space["train.lr"], values).heights.tolist() == pytest.approx(
        [0, 2 / 3, 1]
    )
    hidden = ParallelAxis.from_dimension("hidden", sweep().space["hidden"], values)
    assert hidden.heights[0] < hidden.heights[2] < hidden.heights[1]
    assert hidden.ticks == {0.25: "[8]", 0.75: "[8, 4]"}
