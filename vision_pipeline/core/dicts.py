"""Nested dictionaries, such as a section of params.yaml."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any


def flatten_dict(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested values by dotted keys.

    >>> flatten_dict({"a": {"b": 1}, "c": 2})
    {'a.b': 1, 'c': 2}
    """
    flattened: dict[str, Any] = {}
    for name, value in values.items():
        flattened |= flatten_dict(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return flattened


def diff_dicts(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Return the values that differ, as (old, new) by dotted key; None where a side lacks the key."""
    old, new = flatten_dict(before), flatten_dict(after)
    keys = dict.fromkeys([*new, *old])
    return {key: (old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)}


def set_nested(values: dict[str, Any], key_path: Sequence[str], value: Any) -> None:
    """Set a copy of `value` at a path of keys; a value on the way that is no dictionary is replaced by one."""
    for key in key_path[:-1]:
        if not isinstance(values.get(key), dict):
            values[key] = {}
        values = values[key]
    values[key_path[-1]] = deepcopy(value)
