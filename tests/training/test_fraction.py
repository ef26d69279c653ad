"""A share of the training images."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from stages.training.batches import Rows
from stages.training.fraction import fraction_of

targets = st.lists(st.integers(0, 4), min_size=1, max_size=200).map(lambda labels: np.array(labels, np.int64))
shares = st.floats(0.001, 1.0)


@given(targets, shares, st.integers(0, 9))
def test_each_class_keeps_its_share_and_at_least_one_row(labels: np.ndarray, share: float, seed: int) -> None:
    rows = fraction_of(labels, share, seed)
    assert (np.diff(rows) > 0).all()
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        assert (labels[rows] == label).sum() == max(1, round(share * count))


@given(targets, shares, shares, st.integers(0, 9))
def test_a_smaller_share_lies_within_a_larger_one(labels: np.ndarray, one: float, other: float, seed: int) -> None:
    small, large = (set(fraction_of(labels, share, seed)) for share in sorted((one, other)))
    assert small <= large


def test_the_whole_is_every_row_in_order() -> None:
    assert fraction_of(np.arange(50) % 3, 1.0, 0).tolist() == list(range(50))


def test_another_seed_draws_others_and_the_same_seed_the_same() -> None:
    labels = np.arange(1000) % 10
    drawn = [fraction_of(labels, 0.1, seed) for seed in (0, 0, 1)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


def test_chosen_rows_are_all_there_is_in_memory_and_mapped(monkeypatch) -> None:
    inputs, labels, chosen = np.arange(20).reshape(10, 2), np.arange(10), np.array([1, 4, 7])
    for fits in (True, False):
        monkeypatch.setattr("stages.training.batches._fits", lambda size, device, fits=fits: fits)
        rows = Rows(inputs, labels, torch.device("cpu"), chosen)
        assert (len(rows), rows.steps(2)) == (3, 1)  # a last batch of one row joins the one before
        assert rows.first(10).tolist() == [[2, 3], [8, 9], [14, 15]]
        assert rows.take(torch.tensor([2]))[1].tolist() == [7]
