"""A share of the training images, stratified and keyed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.data.training_data import stratified_subset

labels = st.lists(st.integers(0, 4), min_size=1, max_size=80).map(lambda values: np.array(values, np.int64))
fractions = st.floats(0.001, 1)
seeds = st.integers(0, 2**32 - 1)


@given(labels, fractions, seeds)
def test_every_class_keeps_its_share_and_at_least_one(targets, fraction, seed):
    rows = stratified_subset(targets, fraction, seed, "toy")
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
    for label in np.unique(targets):
        expected = max(1, round(fraction * int((targets == label).sum())))
        assert (targets[rows] == label).sum() == expected


@given(labels, fractions, fractions, seeds)
def test_a_smaller_share_lies_within_a_larger_one(targets, first, second, seed):
    small, large = (set(stratified_subset(targets, share, seed, "toy").tolist()) for share in sorted((first, second)))
    assert small <= large


@given(labels, seeds)
def test_the_whole_is_every_row(targets, seed):
    assert stratified_subset(targets, 1.0, seed, "toy").tolist() == list(range(len(targets)))


def test_the_choice_goes_by_seed_and_data_set():
    targets = np.arange(1000) % 10
    chosen = stratified_subset(targets, 0.1, 0, "mnist")
    assert chosen.tolist() == stratified_subset(targets, 0.1, 0, "mnist").tolist()
    for other in (stratified_subset(targets, 0.1, 1, "mnist"), stratified_subset(targets, 0.1, 0, "cifar10")):
        assert chosen.tolist() != other.tolist()
