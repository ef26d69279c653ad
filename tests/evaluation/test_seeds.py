"""The spread over seeds, compared with values computed by hand."""

import pytest

from vision_pipeline.evaluation.seeds import aggregate_seeds, mean_ci, seeds_table


def make_rows(*accuracies: float) -> list[dict[str, float]]:
    metrics = {"loss": 0.5, "val_accuracy": 0.9, "best_epoch": 3, "key": 1}
    return [{"seed": seed, "accuracy": accuracy, **metrics} for seed, accuracy in enumerate(accuracies)]


def test_of_three_seeds_the_mean_the_spread_and_the_interval():
    # mean 0.92, sd 0.02; t of 2 degrees of freedom is 4.302653; 4.302653 * 0.02 / sqrt(3) = 0.049683
    aggregates = aggregate_seeds(seeds_table(make_rows(0.90, 0.92, 0.94)))
    assert aggregates == {
        "seeds": 3,
        "accuracy_mean": 0.92,
        "accuracy_mean_sd": 0.02,
        "accuracy_mean_low": pytest.approx(0.870317, abs=1e-6),
        "accuracy_mean_high": pytest.approx(0.969683, abs=1e-6),
        "loss_mean": 0.5,
        "loss_mean_sd": 0.0,
        "loss_mean_low": 0.5,
        "loss_mean_high": 0.5,
    }


def test_one_seed_has_no_spread():
    assert aggregate_seeds(seeds_table(make_rows(0.9))) == {"seeds": 1}


def test_the_interval_of_a_share_stays_between_0_and_1():
    assert mean_ci([0.99, 1.0], is_fraction=True)[1] == 1.0
    assert mean_ci([0.99, 1.0], is_fraction=False)[1] > 1.0


def test_the_table_has_a_row_for_each_seed():
    assert seeds_table(make_rows(0.9, 0.8)).to_dict("records") == [
        {"seed": 0, "accuracy": 0.9, "loss": 0.5, "val_accuracy": 0.9, "best_epoch": 3},
        {"seed": 1, "accuracy": 0.8, "loss": 0.5, "val_accuracy": 0.9, "best_epoch": 3},
    ]
