"""Nested dictionaries: flat keys, differences, and setting a value."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vision_pipeline.core.dicts import diff_dicts, flatten_dict, set_nested

_values: st.SearchStrategy[Any] = st.recursive(
    st.integers(),
    lambda inner: st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, min_size=1),
    max_leaves=8,
)
_sections = st.dictionaries(st.text("abc", min_size=1, max_size=2), _values)


def test_values_by_dotted_keys() -> None:
    assert flatten_dict({"a": {"b": 1, "c": {"d": [2]}}, "e": 3}) == {"a.b": 1, "a.c.d": [2], "e": 3}


def test_lists_are_values() -> None:
    assert flatten_dict({"hidden": [1], "train": {"lr": 0.1}}) == {"hidden": [1], "train.lr": 0.1}


def test_a_difference_names_old_and_new_value() -> None:
    before, after = {"a": {"b": 1, "c": 2}, "gone": 3}, {"a": {"b": 1, "c": 5}, "new": {"x": 4}}
    assert diff_dicts(before, after) == {"a.c": (2, 5), "new.x": (None, 4), "gone": (3, None)}


@given(_sections, _sections)
def test_there_is_a_difference_exactly_where_flat_values_differ(before: dict[str, Any], after: dict[str, Any]) -> None:
    assert diff_dicts(before, before) == {}
    assert bool(diff_dicts(before, after)) is (flatten_dict(before) != flatten_dict(after))


@given(_sections, st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=3), st.integers())
def test_a_value_that_is_set_is_there(values: dict[str, Any], path: list[str], value: int) -> None:
    set_nested(values, path, value)
    for key in path:
        values = values[key]
    assert values == value


def test_what_is_set_is_a_copy() -> None:
    inner: dict[str, Any] = {"x": [1]}
    values: dict[str, Any] = {}
    set_nested(values, ["a", "b"], inner)
    inner["x"].append(2)
    assert values == {"a": {"b": {"x": [1]}}}
