"""McNemar's test, the interval of a paired difference, Holm's correction."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.evaluation.significance import McNemarResult, holm_correction, mcnemar_test

ITEMS = st.integers(1, 200).flatmap(lambda n: st.tuples(*[st.lists(st.booleans(), min_size=n, max_size=n)] * 2))


def compare_counts(both_right: int, only_first: int, only_second: int, both_wrong: int) -> McNemarResult:
    counts = [both_right, only_first, only_second, both_wrong]
    return mcnemar_test(np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts))


@pytest.mark.parametrize(
    ("only_first", "only_second", "p"),
    [
        (9, 1, 22 / 1024),  # twice the chance of at most 1 head in 10 throws
        (0, 5, 2 / 32),
        (3, 3, 1.0),
        (1, 0, 1.0),
        (0, 0, 1.0),
    ],
)
def test_p_is_the_chance_of_coins(only_first: int, only_second: int, p: float) -> None:
    result = compare_counts(50, only_first, only_second, 7)
    assert result.p == pytest.approx(p)
    assert (result.both_right, result.only_first, result.only_second, result.both_wrong) == (
        50,
        only_first,
        only_second,
        7,
    )


def test_the_interval_by_hand() -> None:
    result = compare_counts(80, 10, 2, 8)  # (8 -+ 1.96 sqrt(13 - 64 / 102)) / 102
    assert result.difference == pytest.approx(0.08)
    assert (result.low, result.high) == pytest.approx((0.010842, 0.146021), abs=1e-6)


@given(ITEMS)
def test_swapped_models_swap_all(both: tuple[list[bool], list[bool]]) -> None:
    first, second = (np.array(answers) for answers in both)
    result, swapped = mcnemar_test(first, second), mcnemar_test(second, first)
    assert (swapped.only_first, swapped.only_second, swapped.p) == (result.only_second, result.only_first, result.p)
    assert (swapped.difference, swapped.low, swapped.high) == pytest.approx(
        (-result.difference, -result.high, -result.low)
    )
    assert -1 <= result.low <= result.high <= 1
    assert 0 <= result.p <= 1
    assert result.difference == pytest.approx(first.mean() - second.mean())


@given(st.lists(st.booleans(), min_size=1, max_size=100))
def test_the_same_answers_are_no_difference(answers: list[bool]) -> None:
    result = mcnemar_test(np.array(answers), np.array(answers))
    assert (result.difference, result.p) == (0, 1)
    assert result.low < 0 < result.high


def test_a_true_difference_lies_in_95_of_100_intervals() -> None:
    random = np.random.default_rng(0)
    draws = [random.choice(4, 300, p=[0.7, 0.12, 0.08, 0.1]) for _ in range(1000)]
    results = [mcnemar_test(np.isin(draw, [0, 1]), np.isin(draw, [0, 2])) for draw in draws]
    assert 0.93 < np.mean([result.low <= 0.04 <= result.high for result in results]) < 0.97


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
