"""McNemar's test, the interval of a paired difference, Holm's correction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.evaluation.significance import McNemarResult, holm_correction, mcnemar_test

ITEMS = st.integers(1, 200).flatmap(lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n)] * 2))


def counted(both_right: int, only_one: int, only_other: int, both_wrong: int) -> McNemarResult:
    counts = [both_right, only_one, only_other, both_wrong]
    return mcnemar_test(np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts))


@pytest.mark.parametrize(
    ("only_one", "only_other", "p"),
    [
        (9, 1, 22 / 1024),  # twice the chance of at most 1 head in 10 throws
        (0, 5, 2 / 32),
        (3, 3, 1.0),
        (1, 0, 1.0),
        (0, 0, 1.0),
    ],
)
def test_p_is_the_chance_of_coins(only_one: int, only_other: int, p: float) -> None:
    found = counted(50, only_one, only_other, 7)
    assert found.p == pytest.approx(p)
    assert (found.both_right, found.only_first, found.only_second, found.both_wrong) == (50, only_one, only_other, 7)


def test_the_interval_by_hand() -> None:
    found = counted(80, 10, 2, 8)  # (8 -+ 1.96 sqrt(13 - 64 / 102)) / 102
    assert found.difference == pytest.approx(0.08)
    assert (found.low, found.high) == pytest.approx((0.010842, 0.146021), abs=1e-6)


@given(ITEMS)
def test_swapped_models_swap_all(both: tuple[list[bool], list[bool]]) -> None:
    one, other = (np.array(answers) for answers in both)
    found, swapped = mcnemar_test(one, other), mcnemar_test(other, one)
    assert (swapped.only_first, swapped.only_second, swapped.p) == (found.only_second, found.only_first, found.p)
    assert (swapped.difference, swapped.low, swapped.high) == pytest.approx(
        (-found.difference, -found.high, -found.low)
    )
    assert -1 <= found.low <= found.high <= 1
    assert 0 <= found.p <= 1
    assert found.difference == pytest.approx(one.mean() - other.mean())


@given(st.lists(st.booleans(), min_size=1, max_size=100))
def test_the_same_answers_are_no_difference(answers: list[bool]) -> None:
    found = mcnemar_test(np.array(answers), np.array(answers))
    assert (found.difference, found.p) == (0, 1)
    assert found.low < 0 < found.high


def test_a_true_difference_lies_in_95_of_100_intervals() -> None:
    random = np.random.default_rng(0)
    draws = [random.choice(4, 300, p=[0.7, 0.12, 0.08, 0.1]) for _ in range(1000)]
    found = [mcnemar_test(np.isin(draw, [0, 1]), np.isin(draw, [0, 2])) for draw in draws]
    assert 0.93 < np.mean([one.low <= 0.04 <= one.high for one in found]) < 0.97


@pytest.mark.parametrize("sizes", [(0, 0), (3, 4)])
def test_other_items_are_refused(sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="not the same test items"):
        mcnemar_test(*(np.ones(size, bool) for size in sizes))


def test_holm_by_hand() -> None:
    assert holm_correction([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm_correction([0.6, 0.5]) == [1, 1]
    assert holm_correction([0.2]) == [0.2]
    assert holm_correction([]) == []


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_raises_and_keeps_the_order(p_values: list[float]) -> None:
    raised = holm_correction(p_values)
    assert all(before <= after <= 1 for before, after in zip(p_values, raised, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert list(np.array(raised)[order]) == sorted(raised)
