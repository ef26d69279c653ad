"""Short texts for messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.core.text import format_value, join_limited


@pytest.mark.parametrize(
    ("items", "limit", "text"),
    [
        ([], 2, ""),
        (["a"], 2, "a"),
        (["a", "b"], 2, "a, b"),
        (["a", "b", "c"], 2, "a, b and 1 more"),
        ([1, 2, 3], 1, "1 and 2 more"),
    ],
)
def test_a_list_is_cut_and_says_how_much_is_missing(items: list[object], limit: int, text: str) -> None:
    assert join_limited(items, limit) == text


@given(st.integers(0, 3000), st.integers(1, 50))
def test_what_is_shown_and_what_is_not_are_all(count: int, limit: int) -> None:
    head, _, more = join_limited(["x"] * count, limit).partition(" and ")
    hidden = int(more.removesuffix(" more").replace(",", "")) if more else 0
    assert head.count("x") + hidden == count


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.01235"), (1.0, "1"), (3, "3"), ([1, 2], "[1, 2]"), ("a", "a"), (True, "True")]
)
def test_a_float_has_four_significant_digits(value: object, text: str) -> None:
    assert format_value(value) == text
